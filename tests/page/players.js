// Players in the tabs of a browser and in the terminal, on the relay that serves the page.
//
// `PAGES` is the folder with those of the pages, as `web/build` makes them.
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, afterEach, before } from 'node:test';
import { Program, relay } from '../sdk/programs.js';
import { Tab, browser } from './tabs.js';

/** A browser and a relay for all tests of a file, and what one test opened, to be closed after it. */
export class Stage {
  /** The page of an example, or in a folder, on a relay with these flags. */
  constructor(example, ...flags) {
    this.opened = [];
    before(async () => {
      assert.ok(process.env.PAGES, 'PAGES names the folder with the pages');
      this.relay = await relay('--serve', resolve(process.env.PAGES, example), ...flags);
      this.browser = await browser();
    });
    afterEach(async () => {
      for (const each of this.opened) await (each.stop?.() ?? each.close());
      this.opened = [];
    });
    after(async () => {
      await this.browser?.close();
      await this.relay?.stop();
    });
  }

  /** Where the page is. */
  get address() {
    return this.relay.url;
  }

  /** Closes this once the test is over. */
  keep(something) {
    this.opened.push(something);
    return something;
  }

  /** A browser that knows nobody yet. */
  async profile() {
    return this.keep(await this.browser.newContext());
  }

  /** A player in a tab of its own browser. */
  async tab(flags) {
    return Tab.open(await this.profile(), this.address, flags);
  }

  /** A player in the terminal, that plays by itself. */
  async native(room, name, ...flags) {
    const data = await mkdtemp(join(tmpdir(), 'bingo-'));
    const where = ['--room', room, '--name', name, '--page', this.address, '--data', data];
    return this.keep(new Program('examples/bingo', ['--headless', '--json', '--automark', ...where, ...flags]));
  }
}

export const joined = (player) => player.event(({ event }) => event === 'joined');
export const called = (player, count) => player.event(({ event, index }) => event === 'called' && index >= count);
export const numbers = (player) => player.events('called').map(({ number }) => number);
const complete = (player) => player.event(({ event }) => event === 'complete');

/** Nothing that was called is missing or there twice, in what each of them saw and in the end. */
export async function assertSameRound(...players) {
  const [first, ...others] = await Promise.all(players.map(complete));
  for (const other of others) assert.deepEqual(other.called, first.called);
  for (const player of players) assert.deepEqual(numbers(player), first.called);
}
