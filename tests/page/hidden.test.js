// A tab that nobody sees, and the round that it hosts. In a file of its own, which runs beside the others.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage, assertSameRound, called, joined, numbers } from './players.js';
import { Tab, line } from './tabs.js';

/** Tokens that run out several times a minute. */
const config = join(mkdtempSync(join(tmpdir(), 'relay-')), 'relay.toml');
writeFileSync(config, "[token_endpoint]\nkey = 'rooms.dev'\nevery_channel = true\nttl_seconds = 12\n");
const stage = new Stage('bingo', '--config', config);

/** The same page with a policy that forbids workers, without which a browser gives a hidden page no frames. */
function pageWithoutWorkers() {
  const folder = mkdtempSync(join(tmpdir(), 'page-'));
  cpSync(join(process.env.PAGES, 'bingo'), folder, { recursive: true });
  const index = join(folder, 'index.html');
  const policy = `<meta http-equiv="content-security-policy" content="worker-src 'none'">`;
  writeFileSync(index, readFileSync(index, 'utf8').replace('<head>', `<head>${policy}`));
  rmSync(`${index}.gz`);
  return folder;
}
const withoutWorkers = new Stage(pageWithoutWorkers());

test('a hidden tab goes on hosting for a minute with new tokens, and over a drop of its line', { timeout: 180_000 }, async () => {
  const room = 'panda-shrew-toad';
  const context = await stage.profile();
  const ada = await Tab.open(context, stage.address,
    { room, host: '', name: 'Ada', automark: '', players: 2, interval: '2s' });
  await joined(ada);
  const bob = await stage.native(room, 'Bob', '--join');
  await called(bob, 1);
  await ada.hide();
  await ada.countUpdates();
  let tokens = 0;
  ada.page.on('request', (request) => { tokens += request.url().includes('/token?') ? 1 : 0; });
  const [began, first] = [performance.now(), numbers(bob).length];
  await sleep(60_000);
  assert.ok(await ada.isHidden(), 'the tab was hidden all the time');
  const seconds = (performance.now() - began) / 1000;
  const updates = await ada.updates();
  assert.ok(updates / seconds >= 8, `${updates} updates in ${seconds} s`);
  const calls = numbers(bob).length - first;
  assert.ok(calls >= Math.floor(seconds / 2) - 2, `${calls} calls in ${seconds} s`);
  assert.equal(bob.events('host_changed').length, 0);
  const gaps = bob.events('called').map(({ at_ms }, at, all) => (at > 0 ? at_ms - all[at - 1].at_ms : 0));
  assert.ok(Math.max(...gaps) < 4000, `calls come one by one: ${gaps}`);
  assert.ok(tokens >= 4, `${tokens} tokens in ${seconds} s`);

  // Longer than a browser lets timers of a hidden page wait, and shorter than the room waits for its host.
  await context.setOffline(true);
  await ada.event(({ event }) => event === 'interrupted');
  await sleep(3000);
  await context.setOffline(false);
  const back = performance.now();
  assert.equal((await ada.event(({ event }) => event === 'resumed')).continuity, 'kept');
  assert.ok(performance.now() - back < 2000, 'it does not wait for its next attempt');
  await called(bob, numbers(bob).length + 1);
  assert.ok(await ada.isHidden(), 'the tab was still hidden');
  assert.equal(bob.events('host_changed').length, 0);

  await ada.show();
  await called(ada, numbers(bob).length);
  await ada.screenshots('seen-again');
  console.log(`hidden for ${seconds.toFixed(1)} s: ${updates} updates, ${calls} calls, ${tokens} tokens`);
  // What the browser itself says of tries to connect while there is no network.
  ada.assertNoErrors(/ERR_INTERNET_DISCONNECTED/);
});

test('a hidden tab that may not go on is replaced as host, and catches up once it is seen', { timeout: 180_000 }, async () => {
  const room = 'squid-gecko-moth';
  const ada = await Tab.open(await withoutWorkers.profile(), withoutWorkers.address,
    { room, host: '', name: 'Ada', automark: '', players: 2, interval: '200ms' });
  const { player_id } = await joined(ada);
  const bob = await withoutWorkers.native(room, 'Bob', '--join');
  await called(bob, 4);
  await ada.hide();
  const hidden = performance.now();
  await ada.countUpdates();
  const changed = await bob.event(({ event }) => event === 'host_changed');
  const wait = performance.now() - hidden;
  assert.deepEqual([changed.from, changed.to !== player_id], [player_id, true]);
  assert.ok(wait < 10_000, `replaced after ${wait} ms`);
  await called(bob, numbers(bob).length + 10);
  assert.ok(await ada.isHidden(), 'the tab was hidden all the time');
  assert.ok(await ada.updates() <= 1, 'it stood still');
  await ada.show();
  const seen = performance.now();
  await ada.event(({ event, to }) => event === 'host_changed' && to === changed.to);
  await called(ada, numbers(bob).length);
  assert.ok(performance.now() - seen < 3000, 'it has caught up at once');
  await assertSameRound(ada, bob);
  ada.assertNoErrors(/worker-src|Content Security Policy/);
});

test('a tab that comes to the front finds out at once that its line is dead', { timeout: 180_000 }, async () => {
  const room = 'heron-marmot-skink';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '2', '--interval', '200ms');
  await joined(ada);
  const wire = stage.keep(await line(stage.relay.port));
  const bob = await Tab.open(await stage.profile(), wire.address, { room, join: '', name: 'Bob', automark: '' });
  await joined(bob);
  await called(bob, 4);
  await bob.hide();
  // Nobody tells the tab, and the relay need not say anything for 15 s, nor be missed for 25.
  wire.strand();
  await sleep(2000);
  const before = numbers(bob).length;
  await bob.show();
  const seen = performance.now();
  await called(bob, numbers(ada).length);
  const wait = performance.now() - seen;
  assert.ok(wait < 4000, `it has caught up after ${wait} ms`);
  assert.ok(numbers(bob).length >= before + 10, 'it was away for a while');
  await assertSameRound(ada, bob);
  bob.assertNoErrors();
});

test('a page that the browser froze takes its line up again once it thaws', { timeout: 180_000 }, async () => {
  const room = 'bison-egret-newt';
  const ada = await stage.native(room, 'Ada', '--host', '--players', '2', '--interval', '200ms');
  await joined(ada);
  const wire = stage.keep(await line(stage.relay.port));
  const context = await stage.profile();
  const bob = await Tab.open(context, wire.address, { room, join: '', name: 'Bob', automark: '' });
  const seat = await joined(bob);
  await called(bob, 4);
  await bob.hide();
  const browser = await context.newCDPSession(bob.page);
  await browser.send('Page.setWebLifecycleState', { state: 'frozen' });
  // Its line breaks without its noticing, and so it can only find out once it thaws.
  wire.cut();
  await sleep(8000);
  wire.mend();
  const [before, frames] = [numbers(bob).length, bob.received.length];
  await browser.send('Page.setWebLifecycleState', { state: 'active' });
  await bob.show();
  const thawed = performance.now();
  await called(bob, numbers(ada).length);
  assert.ok(performance.now() - thawed < 5000, 'it has caught up');
  assert.ok(numbers(bob).length >= before + 10, 'it was away for a while');
  console.log(`thawed: ${bob.received.length - frames} frames for ${numbers(bob).length - before} calls`);
  for (const { players } of ada.events('roster')) {
    assert.ok(players.every(({ id }) => [seat.player_id, ada.events('joined')[0].player_id].includes(id)), 'on its own seat');
  }
  await assertSameRound(ada, bob);
  // What the browser itself says of the socket that it took from the page.
  bob.assertNoErrors(/^WebSocket connection to .* failed: Page/);
});
