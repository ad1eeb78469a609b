// A tab that nobody sees, and the round that it hosts. In a file of its own, which runs beside the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage, called, joined, numbers } from './players.js';
import { Tab } from './tabs.js';

const stage = new Stage('bingo');

test('a hidden tab goes on hosting for a minute', { timeout: 180_000 }, async () => {
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
  await ada.passForFocused(true);
  await ada.page.bringToFront();
  await ada.page.waitForFunction(() => !document.hidden);
  await called(ada, numbers(bob).length);
  await ada.screenshots('seen-again');
  console.log(`hidden for ${seconds.toFixed(1)} s: ${frames} updates, ${calls} calls`);
  ada.assertNoErrors();
});

