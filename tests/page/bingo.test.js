// Bingo in the tabs of a real browser, beside players in the terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage, assertSameRound, called, joined, numbers } from './players.js';
import { Tab, line } from './tabs.js';

const stage = new Stage('bingo');

test('two tabs and a player in the terminal finish a round', { timeout: 120_000 }, async () => {
  const room = 'otter-badger-fox';
  const ada = await stage.tab({ room, host: '', name: 'Ada', automark: '', players: 3, interval: '150ms' });
  await joined(ada);
  const bob = await stage.tab({ room, join: '', name: 'Bob', automark: '' });
  await joined(bob);
  await ada.screenshots('waiting');
  const cid = await stage.native(room, 'Cid', '--join');
  await Promise.all([ada, bob, cid].map((player) => called(player, 12)));
  await bob.screenshots('round');
  await assertSameRound(ada, bob, cid);
  await ada.screenshots('complete');
  ada.assertNoErrors();
  bob.assertNoErrors();
});

test('the link alone leads into the room, and no further after leaving it', { timeout: 120_000 }, async () => {
  const ada = await stage.native('robin-skunk-hare', 'Ada', '--host', '--players', '2', '--interval', '100ms');
  await joined(ada);
  const bob = await stage.tab({ room: 'Robin Skunk Hare', rounds: 1 });
  assert.equal((await joined(bob)).role, 'peer');
  await bob.page.waitForURL(/\/\?room=robin-skunk-hare$/);
  await assertSameRound(ada, bob);
  await bob.page.waitForURL(({ search }) => search === '');
  bob.assertNoErrors();
});

test('a tab that is loaded again mid-round keeps its seat and strip', { timeout: 120_000 }, async () => {
  const room = 'heron-mole-lynx';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '2', '--interval', '150ms');
  await joined(ada);
  const bob = await stage.tab({ room, join: '', name: 'Bob', automark: '' });
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

test('a tab that crashed has its seat again at once, and a copy of a tab is another player', { timeout: 120_000 }, async () => {
  const room = 'quail-otter-wren';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '9');
  await joined(ada);
  const context = await stage.profile();
  // A page that crashes says nothing.
  await context.addInitScript(() => addEventListener('pagehide', (event) => event.stopImmediatePropagation(), true));
  const bob = await Tab.open(context, stage.address, { room, join: '', name: 'Bob' });
  const seat = await joined(bob);
  const opened = context.waitForEvent('page');
  await bob.page.evaluate(() => { window.open(location.href); });
  const copy = new Tab(await opened);
  const other = await joined(copy);
  assert.notEqual(other.player_id, seat.player_id);
  await copy.reload();
  assert.equal((await joined(copy)).player_id, other.player_id, 'the copy has forgotten whose copy it was');
  await bob.page.bringToFront();
  await bob.reload();
  assert.equal((await joined(bob)).player_id, seat.player_id, 'its own seat');
  for (const { players } of ada.events('roster')) assert.ok(players.length <= 3);
  bob.assertNoErrors();
});

test('a tab comes back from another page', { timeout: 120_000 }, async () => {
  const room = 'crane-vole-ibex';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '2', '--interval', '150ms');
  await joined(ada);
  const bob = await stage.tab({ room, join: '', name: 'Bob', automark: '' });
  await joined(bob);
  await called(bob, 5);
  await bob.page.evaluate(() => { window.wasHere = true; });
  await bob.page.goto('about:blank');
  await sleep(2000);
  // A page from the shelf is not loaded once more; what it wrote to the console before is told again.
  bob.forget();
  await bob.page.goBack({ waitUntil: 'commit' });
  assert.ok(await bob.page.evaluate(() => window.wasHere), 'it was shelved, and not loaded again');
  assert.equal((await bob.event(({ event }) => event === 'resumed')).continuity, 'kept');
  for (const { players } of ada.events('roster')) {
    assert.ok(players.every(({ status }) => status === 'present'), 'nobody missed it');
  }
  await assertSameRound(ada, bob);
  bob.assertNoErrors();
});

test('a network that is gone for 5 s takes nothing away', { timeout: 120_000 }, async () => {
  const room = 'newt-stoat-wren';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '2', '--interval', '150ms');
  await joined(ada);
  const wire = stage.keep(await line(stage.relay.port));
  const context = await stage.profile();
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
  await bob.screenshots('offline');
  wire.mend();
  await context.setOffline(false);
  assert.equal((await bob.event(({ event }) => event === 'resumed')).continuity, 'kept');
  await assertSameRound(ada, bob);
  // What the browser itself says of tries to connect while there is no network.
  bob.assertNoErrors(/^WebSocket connection to .* failed: .*ERR_INTERNET_DISCONNECTED$/);
});

test('another player takes over when the hosting tab is closed', { timeout: 120_000 }, async () => {
  const room = 'koala-finch-yak';
  const context = await stage.profile();
  const ada = await Tab.open(context, stage.address,
    { room, host: '', name: 'Ada', automark: '', players: 3, interval: '150ms' });
  await joined(ada);
  // The next in rank draws no frames, so that the time is the room's and not that of a picture without a graphics card.
  const cid = await stage.native(room, 'Cid', '--join');
  const next = await joined(cid);
  const bob = await stage.tab({ room, join: '', name: 'Bob', automark: '' });
  await called(bob, 8);
  const closed = performance.now();
  await ada.page.close();
  const changed = ({ event }) => event === 'host_changed';
  const seen = await cid.event(changed);
  const wait = performance.now() - closed;
  assert.ok(wait < 2000, `another hosts after ${wait} ms`);
  assert.equal(seen.to, next.player_id, 'who came next leads');
  assert.equal((await bob.event(changed)).to, next.player_id);
  console.log(`another hosts ${Math.round(wait)} ms after the tab was closed`);
  await assertSameRound(bob, cid);
  ada.assertNoErrors();
  bob.assertNoErrors();
});
