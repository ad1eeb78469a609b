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

test('what is copied is copied where the browser gives a page no clipboard', { timeout: 120_000 }, async () => {
  const opened = await page({}, (page) => page.addInitScript(() => {
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
});

/** Throws in a script of somebody else's: from a timer, and from a frame, which the game hands on. */
const strange = () => {
  setTimeout(() => { throw new Error('of an extension'); });
  requestAnimationFrame(() => { throw new Error('of an extension'); });
};

test('an error of somebody else ends no game, and takes no frame from it', { timeout: 120_000 }, async () => {
  const opened = await page({}, (page) => page.addInitScript(() => {
    window.thrown = [];
    addEventListener('error', ({ error }) => window.thrown.push(error.message));
  }));
  await opened.locator('#notice').waitFor({ state: 'hidden', timeout: 60_000 });
  await opened.evaluate(strange);
  await opened.waitForFunction(() => window.thrown.length === 2);
  assert.ok(await opened.locator('#notice').isHidden());
  // A frame that was asked for together with one that throws comes all the same.
  await opened.evaluate(() => new Promise((drawn) => {
    requestAnimationFrame(() => { throw new Error('of an extension'); });
    requestAnimationFrame(drawn);
  }));
});

test('a crash is told, also after trouble that has passed', { timeout: 120_000 }, async () => {
  const crash = () => setTimeout(() => { throw new WebAssembly.RuntimeError('unreachable'); });
  const early = (page) => page.addInitScript(() => addEventListener('DOMContentLoaded', () => setTimeout(() => {
    // As from the game's own code, which is not loaded yet.
    const error = Object.assign(new Error('early'), { stack: undefined });
    dispatchEvent(new ErrorEvent('error', { error, filename: '/game.js' }));
    window.trouble = document.getElementById('text').textContent;
  })));
  const opened = await page({}, early);
  await opened.locator('#notice').waitFor({ state: 'hidden', timeout: 60_000 });
  assert.match(await opened.evaluate(() => window.trouble), /cannot go on: early/);
  await opened.evaluate(crash);
  await says(opened, /The game has stopped/);
});
