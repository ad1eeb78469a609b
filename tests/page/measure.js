// How much the page of bingo loads, and how soon it shows its first frame, in a browser that draws without a graphics card.
//
//   web/build bingo
//   PAGE=$PWD/web/dist/bingo node tests/page/measure.js
import { relay } from '../sdk/programs.js';
import { SIZES, Tab, browser } from './tabs.js';

/** How often it is opened, each time by a browser that knows nothing yet. */
const TIMES = 7;

const theRelay = await relay('--serve', process.env.PAGE);
const chromium = await browser();
const all = [];
for (let time = 0; time < TIMES; time++) {
  const context = await chromium.newContext();
  const tab = await Tab.open(context, theRelay.url, {}, SIZES.desktop);
  all.push(await tab.page.evaluate(() => {
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const at = (name) => performance.getEntriesByName(name)[0].startTime;
    return { bytes: loaded.reduce((sum, { transferSize }) => sum + transferSize, 0), frame: at('first-frame') };
  }));
  await context.close();
}
await chromium.close();
await theRelay.stop();

const frames = all.map(({ frame }) => Math.round(frame)).sort((one, other) => one - other);
console.log(`loads ${(all[0].bytes / 1e6).toFixed(2)} MB; first frame after ${frames[TIMES >> 1]} ms (median of ${TIMES}; ${
  frames[0]} to ${frames[TIMES - 1]})`);
