// The other examples as pages: each beside a process of the same example in the terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Program } from '../sdk/programs.js';
import { Stage } from './players.js';

const stages = Object.fromEntries(['chat', 'ticker', 'words'].map((example) => [example, new Stage(example)]));

/** The example in the terminal, on the relay that serves its page. */
function terminal(example, ...flags) {
  const stage = stages[example];
  const relay = stage.address.replace('http', 'ws');
  return stage.keep(new Program(`examples/${example}`, ['--headless', '--relay', relay, ...flags], 'pipe'));
}

test('a tab chats with a terminal', { timeout: 120_000 }, async () => {
  const ada = terminal('chat', '--name', 'Ada', '--room', 'den');
  await ada.event(({ event, state }) => event === 'channel' && state === 'Attached');
  const bob = await stages.chat.tab({ name: 'Bob', room: 'den' });
  await ada.event(({ event, name }) => event === 'joined' && name === 'Bob');
  const empty = await bob.page.screenshot();
  ada.say('Good morning');
  await ada.event(({ event, text }) => event === 'said' && text === 'Good morning');
  await bob.shows(['Good morning'], empty);
  // The line to write on has the focus from the start.
  await bob.page.keyboard.type('Hello from a tab', { delay: 50 });
  await ada.event(({ event, typing }) => event === 'here' && typing.includes('Bob'));
  await bob.page.keyboard.press('Enter');
  assert.equal((await ada.event(({ event, text }) => event === 'said' && text !== 'Good morning')).text, 'Hello from a tab');
  await bob.screenshots('chat');
  bob.assertNoErrors();
});

test('a tab is counted among the viewers of a ticker', { timeout: 120_000 }, async () => {
  const counter = terminal('ticker', '--publish', '--every', '200ms');
  await counter.event(({ event }) => event === 'tick');
  const tab = await stages.ticker.tab({});
  const first = await tab.page.screenshot();
  await counter.event(({ sessions }) => sessions === 1);
  const { tick } = await counter.event(({ event }) => event === 'tick');
  await tab.shows([`"data":"${tick}"`], first);
  await tab.screenshots('ticker');
  tab.assertNoErrors();
  counter.forget();
  await tab.close();
  await counter.event(({ sessions }) => sessions === 0);
});

test('a tab reads a phrase word by word', { timeout: 120_000 }, async () => {
  const phrase = 'one two three four five six seven';
  const tab = await stages.words.tab({});
  const empty = await tab.page.screenshot();
  const host = terminal('words', '--host', '--phrase', phrase, '--every', '100ms');
  await host.event(({ event, number }) => event === 'word' && number === 6);
  // As JSON within the JSON of the frame.
  await tab.shows(phrase.split(' ').map((word) => `\\"word\\":\\"${word}\\"`), empty);
  await tab.screenshots('words');
  tab.assertNoErrors();
});
