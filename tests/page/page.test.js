// The page around a game: what it shows while the game is loading, and where something is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './players.js';

const stage = new Stage('bingo');

/** A page that has not run yet, and what it will have said by then. */
async function page(flags, prepare = () => {}) {
  const page = await (await stage.profile()).newPage();
  await page.addInitScript(() => {
    window.said = [];
    addEventListener('DOMContentLoaded', () => {
      const share = document.getElementById('share');
      new MutationObserver(() => window.said.push(share.textContent)).observe(share, { childList: true });
    });
  });
  await prepare(page);
  await page.goto(`${stage.address}/?${new URLSearchParams(flags)}`);
  return page;
}

/** Resolves once the page says something like this for good. */
async function says(page, pattern) {
  await page.getByRole('alert').waitFor({ timeout: 60_000 });
  assert.match(await page.locator('#text').textContent(), pattern);
  assert.ok(await page.getByRole('button', { name: 'Load again' }).isVisible());
}

test('the page shows how far the game is loaded, and then the game alone', { timeout: 120_000 }, async () => {
  const opened = await page({});
  await opened.locator('#notice').waitFor({ state: 'hidden', timeout: 60_000 });
  const shares = (await opened.evaluate(() => window.said)).map((text) => Number(/^ (\d+) %$/.exec(text)?.[1]));
  assert.ok(shares.some((share) => share > 0 && share < 100), 'a part of it');
  assert.deepEqual(shares.filter(Boolean), shares.filter(Boolean).sort((one, other) => one - other), 'and then more');
});

test('a browser without WebGL 2 is told', { timeout: 120_000 }, async () => {
  const opened = await page({}, (page) => page.addInitScript(() => {
    HTMLCanvasElement.prototype.getContext = () => null;
  }));
  await says(opened, /no WebGL 2, .* hardware acceleration/);
});

test('a server that is gone is told', { timeout: 120_000 }, async () => {
  const opened = await page({}, (page) => page.route('**/game_bg.wasm', (route) => route.abort()));
  await says(opened, /could not be loaded .* Is the server still there\?/);
});

test('an address that makes no sense is told', { timeout: 120_000 }, async () => {
  await says(await page({ bots: 'many' }), /'many' for '--bots <N>'/);
});

test('what is copied is copied where the browser gives a page no clipboard, and other errors end no game', { timeout: 120_000 }, async () => {
  const opened = await page({}, (page) => page.addInitScript(() => {
    addEventListener('DOMContentLoaded', () => setTimeout(() => { throw new Error('of an extension'); }));
    Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined, configurable: true });
    document.execCommand = (what) => {
      window.copied = [what, document.activeElement.value];
      return true;
    };
  }));
  await opened.locator('#notice').waitFor({ state: 'hidden', timeout: 60_000 });
  await opened.evaluate(() => navigator.clipboard.writeText('come in'));
  assert.deepEqual(await opened.evaluate(() => window.copied), ['copy', 'come in']);
  assert.equal(await opened.evaluate(() => document.activeElement.id), 'game', 'keys go to the game again');
  await opened.evaluate(() => setTimeout(() => { throw new Error('of an extension'); }));
  await opened.waitForTimeout(500);
  assert.ok(await opened.locator('#notice').isHidden());
});
