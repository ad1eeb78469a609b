// The game's page in tabs of a real browser, and what its players report on the console.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import jsQR from 'jsqr';
import { chromium } from 'playwright-core';
import { PNG } from 'pngjs';
import { Events } from '../sdk/programs.js';

/** Where pictures go. */
export const SHOTS = process.env.SCREENSHOTS ?? new URL('./screenshots', import.meta.url).pathname;

/** A browser that draws WebGL2 without a graphics card, and treats hidden tabs as a browser on a desk does. */
export function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
      '--ignore-gpu-blocklist'],
    ignoreDefaultArgs: ['--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
      '--disable-background-timer-throttling', '--disable-back-forward-cache'],
  });
}

/** Small, since each pixel takes its time without a graphics card. */
const SMALL = { width: 320, height: 240 };

/** What people look at. */
export const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** A tab with the game in it. */
export class Tab extends Events {
  /** Opens the page at the address, with flags as on a command line. */
  static async open(context, address, flags, size = SMALL) {
    const tab = new Tab(await context.newPage());
    await tab.page.setViewportSize(size);
    await tab.page.goto(`${address}/?${new URLSearchParams({ json: '', ...flags })}`);
    await tab.running();
    return tab;
  }

  constructor(page) {
    super();
    this.page = page;
    /** What went wrong in the page. */
    this.errors = [];
    page.on('console', (message) => {
      const text = message.text();
      if (text.startsWith('{"')) this.push(text);
      else if (message.type() === 'error') this.errors.push(text);
    });
    /** What came over the page's sockets. */
    this.received = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => this.received.push(String(payload))));
    page.on('pageerror', (error) => {
      // Winit leaves `main` with it.
      if (!error.message.includes('exceptions for control flow')) this.errors.push(error.message);
    });
  }

  /** Resolves once the first frame is on the screen. */
  running() {
    return this.page.waitForFunction(() => performance.getEntriesByName('first-frame').length > 0, null, { timeout: 60_000 });
  }

  /** Loads the page again; what it reports after that begins anew. */
  async reload() {
    // Until then the page before goes on and reports.
    this.page.once('framenavigated', () => this.forget());
    await this.page.reload();
    await this.running();
  }

  /** Resolves once this came over the page's sockets, and the page looks other than in the picture `before`. */
  async shows(words, before) {
    const end = Date.now() + 60_000;
    const lacks = () => words.filter((word) => !this.received.some((frame) => frame.includes(word)));
    while (lacks().length > 0 || before.equals(await this.page.screenshot())) {
      if (Date.now() > end) throw new Error(`the page did not receive ${lacks()}, or does not show it`);
      await this.frames(5);
    }
  }

  /** Takes pictures of the page as it is seen on a desk and on a phone. */
  async screenshots(name) {
    await mkdir(SHOTS, { recursive: true });
    for (const [on, size] of Object.entries(SIZES)) {
      await this.page.setViewportSize(size);
      await this.frames(3);
      await this.page.screenshot({ path: `${SHOTS}/${name}-${on}.png` });
    }
    await this.page.setViewportSize(SMALL);
  }

  /** What the code that is on the page says to a camera. */
  async code() {
    await this.page.setViewportSize(SIZES.desktop);
    await this.frames(3);
    const { data, width, height } = PNG.sync.read(await this.page.screenshot());
    await this.page.setViewportSize(SMALL);
    return jsQR(new Uint8ClampedArray(data), width, height)?.data;
  }

  /** Resolves once so many more frames were drawn. */
  frames(count) {
    return this.page.evaluate((left) => new Promise((drawn) => {
      const frame = () => (left-- > 0 ? requestAnimationFrame(frame) : drawn());
      frame();
    }), count);
  }

  /**
   * Whether the page passes for focused. The test driver has it so unless told otherwise, and then the browser never hides it
   * behind another tab. It is a switch of the driver's own session, which its interface does not reach.
   */
  async passForFocused(enabled) {
    const session = this.page._connection.toImpl(this.page).delegate._mainFrameSession._client;
    await session.send('Emulation.setFocusEmulationEnabled', { enabled });
  }

  /** Puts another tab before this one. */
  async hide() {
    await this.passForFocused(false);
    const other = await this.page.context().newPage();
    await other.bringToFront();
    await this.page.waitForFunction(() => document.hidden, null, { polling: 100 });
  }

  /** Brings the tab to the front again. */
  async show() {
    await this.passForFocused(true);
    await this.page.bringToFront();
    await this.page.waitForFunction(() => !document.hidden);
  }

  /** Counts from here on how often the game draws, as it does in each of its updates. */
  async countUpdates() {
    await this.page.evaluate(() => {
      window.updates_ = 0;
      let last = 0;
      for (const name of ['drawArrays', 'drawArraysInstanced', 'drawElements', 'drawElementsInstanced']) {
        const own = WebGL2RenderingContext.prototype[name];
        WebGL2RenderingContext.prototype[name] = function draw(...given) {
          // What is drawn at a time is of one update.
          const now = performance.now();
          if (now - last > 20) window.updates_ += 1;
          last = now;
          return own.apply(this, given);
        };
      }
    });
  }

  /** How often the game has drawn since. */
  updates() {
    return this.page.evaluate(() => window.updates_);
  }

  isHidden() {
    return this.page.evaluate(() => document.hidden);
  }

  close() {
    return this.page.close();
  }

  /** No error stands in the console, other than what is `expected`. */
  assertNoErrors(expected = null) {
    assert.deepEqual(this.errors.filter((text) => !expected?.test(text)), [], 'no error stands in the console');
  }
}

/** A way to a server that can be cut: bytes are held back, as where a cable is pulled, or those of the present sockets alone. */
export async function line(port) {
  let isCut = false;
  const [sockets, stranded] = [new Set(), new Set()];
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isCut) from.pause();
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const set = (cut) => {
    isCut = cut;
    sockets.forEach((socket) => (cut ? socket.pause() : socket.resume()));
  };
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    cut: () => set(true),
    mend: () => set(false),
    /** The sockets there are carry nothing from here on, and do not say so; new ones do. */
    strand() {
      for (const socket of sockets) stranded.add(socket.pause());
      sockets.clear();
    },
    close() {
      server.close();
      for (const socket of [...sockets, ...stranded]) socket.destroy();
    },
  };
}
