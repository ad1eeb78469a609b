// The chat's page in Chromium, beside a player of the Rust example, on a relay of its own.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Program, relay } from '../sdk/programs.js';
import { SHOTS } from './tabs.js';

/** What the page needs, and where it is. */
const FILES = {
  '/chat.html': ['../../examples/chat.html', 'text/html'],
  '/node_modules/ably/build/ably.min.js': ['node_modules/ably/build/ably.min.js', 'text/javascript'],
};

let server, browser, theRelay, ada;

before(async () => {
  server = createServer(async ({ url }, answer) => {
    const [path, type] = FILES[url.split('?')[0]] ?? [];
    if (!path) return answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': type }).end(await readFile(new URL(path, import.meta.url)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  theRelay = await relay();
  ada = new Program('examples/chat',
    ['--headless', '--name', 'Ada', '--room', 'den', '--relay', theRelay.url.replace('http', 'ws')], 'pipe');
  await ada.event(({ event, state }) => event === 'channel' && state === 'Attached');
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  });
});

after(async () => {
  await browser?.close();
  await ada?.stop();
  await theRelay?.stop();
  server?.close();
});

async function open(name) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`the page of ${name}: ${error.message}`));
  const where = new URLSearchParams({ name, room: 'den', relay: theRelay.url });
  await page.goto(`http://127.0.0.1:${server.address().port}/chat.html?${where}`);
  return page;
}

const shows = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

async function say(page, text) {
  await page.locator('#text').pressSequentially(text);
  await page.locator('#text').press('Enter');
}

test('a page with the official SDK takes part in the chat', { timeout: 60_000 }, async () => {
  ada.say('before you came');
  await ada.event(({ text }) => text === 'before you came');
  const eve = await open('Eve');
  await shows(eve, '#lines', 'Ada: before you came');
  await shows(eve, '#here', 'Ada, Eve');
  await ada.event(({ event, name }) => event === 'joined' && name === 'Eve');

  await eve.locator('#text').pressSequentially('hi');
  await ada.event(({ typing }) => typing?.includes('Eve'));
  await eve.locator('#text').press('Enter');
  await ada.event(({ event, name, text }) => event === 'said' && name === 'Eve' && text === 'hi');
  await shows(eve, '#lines', 'Eve: hi');

  ada.say('/typing');
  await shows(eve, '#typing', 'Ada …');
  ada.say('welcome');
  await shows(eve, '#lines', 'Ada: welcome');
  await eve.waitForFunction(() => document.getElementById('typing').textContent === '');

  const zoe = await open('Zoe');
  await shows(zoe, '#lines', 'Ada: welcome');
  await say(zoe, '<b>bold</b>');
  await shows(eve, '#lines', 'Zoe: <b>bold</b>');
  const said = async (page) => (await page.locator('#lines div').allTextContents()).filter((line) => !line.startsWith('—'));
  await shows(zoe, '#lines', 'Zoe: <b>bold</b>');
  assert.deepEqual(await said(zoe), await said(eve), 'both pages show one transcript');
  await zoe.screenshot({ path: `${SHOTS}/chat-sdk.png` });

  await zoe.close();
  await ada.event(({ event, name }) => event === 'left' && name === 'Zoe');
});
