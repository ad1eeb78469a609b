// A tab that nobody sees, and the round that it hosts. In a file of its own, which runs beside the others.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage, called, joined, numbers } from './players.js';
import { Tab } from './tabs.js';

/** Tokens that run out several times a minute. */
const config = join(mkdtempSync(join(tmpdir(), 'relay-')), 'relay.toml');
writeFileSync(config, "[token_endpoint]\nkey = 'rooms.dev'\nevery_channel = true\nttl_seconds = 12\n");
const stage = new Stage('bingo', '--config', config);

test('a hidden tab goes on hosting for a minute with new tokens, and over a drop of its line', { timeout: 180_000 }, async () => {
  const room = 'panda-shrew-toad';
  const context = await stage.profile();
  const ada = await Tab.open(context, stage.address,
    { room, host: '', name: 'Ada', automark: '', players: 2, interval: '2s' });
  await joined(ada);
  const bob = await stage.native(room, 'Bob', '--join');
  await called(bob, 1);
  await ada.passForFocused(false);
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
  let tokens = 0;
  ada.page.on('request', (request) => { tokens += request.url().includes('/token?') ? 1 : 0; });
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

  await ada.passForFocused(true);
  await ada.page.bringToFront();
  await ada.page.waitForFunction(() => !document.hidden);
  await called(ada, numbers(bob).length);
  await ada.screenshots('seen-again');
  console.log(`hidden for ${seconds.toFixed(1)} s: ${frames} updates, ${calls} calls, ${tokens} tokens`);
  // What the browser itself says of tries to connect while there is no network.
  ada.assertNoErrors(/ERR_INTERNET_DISCONNECTED/);
});

