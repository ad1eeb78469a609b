// Bingo in the tabs of a real browser, beside players in the terminal, on the relay that serves the page.
//
// `PAGE` is the folder of the page, as `web/build bingo` makes it.
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program, relay } from '../sdk/programs.js';
import { Tab, browser, line } from './tabs.js';

const PHONE = { width: 390, height: 844 };

let chromium, theRelay;
/** What a test leaves behind: contexts of the browser, programs and lines. */
let open = [];

before(async () => {
  assert.ok(process.env.PAGE, 'PAGE names the folder of the page');
  theRelay = await relay('--serve', process.env.PAGE);
  chromium = await browser();
});

afterEach(async () => {
  for (const each of open) await (each.stop?.() ?? each.close());
  open = [];
});

after(async () => {
  await chromium?.close();
  await theRelay?.stop();
});

/** A browser that knows nobody yet. */
async function profile() {
  const context = await chromium.newContext();
  open.push(context);
  return context;
}

/** A player in the terminal, that plays by itself. */
async function native(room, name, ...flags) {
  const data = await mkdtemp(join(tmpdir(), 'bingo-'));
  const args = ['--headless', '--json', '--automark', '--room', room, '--name', name, '--page', theRelay.url, '--data', data];
  const player = new Program('examples/bingo', [...args, ...flags]);
  open.push(player);
  return player;
}

const joined = (player) => player.event(({ event }) => event === 'joined');
const complete = (player) => player.event(({ event }) => event === 'complete');
const called = (player, count) => player.event(({ event, index }) => event === 'called' && index >= count);
const numbers = (player) => player.events('called').map(({ number }) => number);

/** Nothing that was called is missing or there twice, in what each of them saw and in the end. */
async function assertSameRound(...players) {
  const [first, ...others] = await Promise.all(players.map(complete));
  for (const other of others) assert.deepEqual(other.called, first.called);
  for (const player of players) assert.deepEqual(numbers(player), first.called);
}

test('two tabs and a player in the terminal finish a round', { timeout: 120_000 }, async () => {
  const room = 'otter-badger-fox';
  const ada = await Tab.open(await profile(), theRelay.url,
    { room, host: '', name: 'Ada', automark: '', players: 3, interval: '400ms' });
  await joined(ada);
  await ada.screenshot('waiting-desktop');
  const bob = await Tab.open(await profile(), theRelay.url, { room, join: '', name: 'Bob', automark: '' }, PHONE);
  await joined(bob);
  await bob.screenshot('waiting-phone');
  const cid = await native(room, 'Cid', '--join');
  await Promise.all([ada, bob, cid].map((player) => called(player, 12)));
  await ada.screenshot('round-desktop');
  await bob.screenshot('round-phone');
  await assertSameRound(ada, bob, cid);
  await ada.screenshot('complete-desktop');
  await bob.screenshot('complete-phone');
  ada.assertNoErrors();
  bob.assertNoErrors();
});

test('a tab that is loaded again mid-round keeps its seat and strip', { timeout: 120_000 }, async () => {
  const room = 'heron-mole-lynx';
  const ada = await native(room, 'Ada', '--host', '--players', '2', '--interval', '400ms');
  await joined(ada);
  const bob = await Tab.open(await profile(), theRelay.url, { room, join: '', name: 'Bob', automark: '' });
  const seat = await joined(bob);
  const strip = await bob.event(({ event }) => event === 'strip');
  await called(bob, 8);
  await bob.reload();
  assert.equal((await joined(bob)).player_id, seat.player_id, 'the seat');
  assert.deepEqual((await bob.event(({ event }) => event === 'strip')).tickets, strip.tickets, 'the strip');
  await assertSameRound(ada, bob);
  // Nobody saw more than the two.
  for (const { players } of ada.events('roster')) assert.ok(players.length <= 2);
  bob.assertNoErrors();
});

test('a tab comes back from another page', { timeout: 120_000 }, async () => {
  const room = 'crane-vole-ibex';
  const ada = await native(room, 'Ada', '--host', '--players', '2', '--interval', '400ms');
  await joined(ada);
  const bob = await Tab.open(await profile(), theRelay.url, { room, join: '', name: 'Bob', automark: '' });
  const seat = await joined(bob);
  await called(bob, 5);
  await bob.page.goto('about:blank');
  await ada.event(({ event, players }) => event === 'roster' && players.some(({ status }) => status === 'lost'));
  bob.forget();
  await bob.page.goBack();
  assert.equal((await joined(bob)).player_id, seat.player_id, 'the seat');
  await assertSameRound(ada, bob);
  bob.assertNoErrors();
});

test('a network that is gone for 5 s takes nothing away', { timeout: 120_000 }, async () => {
  const room = 'newt-stoat-wren';
  const ada = await native(room, 'Ada', '--host', '--players', '2', '--interval', '400ms');
  await joined(ada);
  const wire = await line(theRelay.port);
  open.push(wire);
  const context = await profile();
  const bob = await Tab.open(context, wire.address, { room, join: '', name: 'Bob', automark: '' });
  await called(bob, 5);
  wire.cut();
  await context.setOffline(true);
  const before = numbers(bob).length;
  await bob.event(({ event }) => event === 'interrupted');
  await sleep(5000);
  const heard = numbers(bob).length;
  assert.ok(numbers(ada).length > heard + 5, 'the round went on without this tab');
  assert.ok(heard <= before + 1, 'the line was cut');
  await bob.screenshot('offline');
  wire.mend();
  await context.setOffline(false);
  assert.equal((await bob.event(({ event }) => event === 'resumed')).continuity, 'kept');
  await assertSameRound(ada, bob);
  // What the browser itself says of tries to connect while there is no network.
  bob.assertNoErrors(/^WebSocket connection to .* failed: .*ERR_INTERNET_DISCONNECTED$/);
});

test('a hidden tab goes on hosting for a minute', { timeout: 180_000 }, async () => {
  const room = 'panda-shrew-toad';
  const context = await profile();
  const ada = await Tab.open(context, theRelay.url,
    { room, host: '', name: 'Ada', automark: '', players: 2, interval: '2s' });
  await joined(ada);
  const bob = await native(room, 'Bob', '--join');
  await called(bob, 1);
  await ada.mayBeHidden();
  const other = await context.newPage();
  await other.bringToFront();
  await ada.page.waitForFunction(() => document.hidden, null, { polling: 100 });
  await ada.page.evaluate(() => {
    window.frames_ = 0;
    const frame = () => {
      window.frames_ += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const [began, first] = [performance.now(), numbers(bob).length];
  await sleep(60_000);
  assert.ok(await ada.isHidden(), 'the tab was hidden all the time');
  const seconds = (performance.now() - began) / 1000;
  const frames = await ada.page.evaluate(() => window.frames_);
  assert.ok(frames / seconds >= 4, `${frames} updates in ${seconds} s`);
  const calls = numbers(bob).length - first;
  assert.ok(calls >= Math.floor(seconds / 2) - 2, `${calls} calls in ${seconds} s`);
  assert.equal(bob.events('host_changed').length, 0);
  const gaps = bob.events('called').map(({ at_ms }, at, all) => (at > 0 ? at_ms - all[at - 1].at_ms : 0));
  assert.ok(Math.max(...gaps) < 4000, `calls come one by one: ${gaps}`);
  await ada.page.bringToFront();
  await ada.page.waitForFunction(() => !document.hidden);
  await called(ada, numbers(bob).length);
  await ada.screenshot('seen-again');
  console.log(`hidden for ${seconds.toFixed(1)} s: ${frames} updates, ${calls} calls`);
  ada.assertNoErrors();
});

test('another player takes over when the hosting tab is closed', { timeout: 120_000 }, async () => {
  const room = 'koala-finch-yak';
  const context = await profile();
  const ada = await Tab.open(context, theRelay.url,
    { room, host: '', name: 'Ada', automark: '', players: 3, interval: '400ms' });
  await joined(ada);
  const bob = await Tab.open(await profile(), theRelay.url, { room, join: '', name: 'Bob', automark: '' });
  await joined(bob);
  const cid = await native(room, 'Cid', '--join');
  await called(cid, 8);
  const closed = performance.now();
  await ada.page.close();
  const changed = ({ event }) => event === 'host_changed';
  const [seen] = await Promise.all([cid.event(changed), bob.event(changed)]);
  const wait = performance.now() - closed;
  assert.ok(wait < 2000, `another hosts after ${wait} ms`);
  assert.equal(seen.to, (await joined(bob)).player_id, 'who came next leads');
  console.log(`another hosts ${Math.round(wait)} ms after the tab was closed`);
  await assertSameRound(bob, cid);
  ada.assertNoErrors();
  bob.assertNoErrors();
});
