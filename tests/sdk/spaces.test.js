// The official SDK for collaborative spaces, which is built on the JavaScript SDK, against the relay.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { client, relay } from './support.js';

const require = createRequire(import.meta.url);
const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

/** Resolves with the first event of `part`, such as a space's members, that `match` is true for. */
function event(part, name, match = () => true) {
  return new Promise((resolve) => {
    const look = (found) => {
      if (!match(found)) return;
      part.unsubscribe(name, look);
      resolve(found);
    };
    part.subscribe(name, look);
  });
}

/** Closes a client when it has the answers to all that it sent, so that the SDK for spaces asks it nothing afterwards. */
async function close(realtime) {
  Object.values(realtime.channels.all).forEach((channel) => {
    channel.unsubscribe();
    channel.presence.unsubscribe();
  });
  await realtime.connection.ping();
  realtime.close();
}

for (const version of ['0.5', '0.4']) {
  const Spaces = require(version === '0.5' ? '@ably/spaces' : 'spaces-0.4').default;
  const clients = [];

  /** A space of this name, as `clientId` sees it. */
  const space = (clientId, name) => {
    const realtime = client(server, { clientId });
    clients.push(realtime);
    return new Spaces(realtime).get(`spaces-${version}-${name}`, { offlineTimeout: 500 });
  };

  /** Two members of a space. Each knows of the other. */
  const pair = async (name) => {
    const [ada, bob] = await Promise.all([space('ada', name), space('bob', name)]);
    await ada.enter({ name: 'Ada' });
    const seen = event(ada.members, 'enter', (member) => member.clientId === 'bob');
    await bob.enter({ name: 'Bob' });
    await seen;
    return [ada, bob];
  };

  const spaces = (what, check) => test(`spaces ${version}: ${what}`, limit, async () => {
    await check();
    await Promise.all(clients.splice(0).map(close));
  });

  const names = (members) => members.map((member) => member.clientId).sort();

  spaces('whoever enters sees the members, and is seen', async () => {
    const [ada, bob] = await pair('enter');
    assert.deepEqual(names(await bob.members.getAll()), ['ada', 'bob']);
    assert.deepEqual(names(await ada.members.getOthers()), ['bob']);
    assert.equal((await ada.members.getSelf()).profileData.name, 'Ada');
    assert.deepEqual(names((await bob.getState()).members), ['ada', 'bob']);
  });

  spaces('a profile changes for all', async () => {
    const [ada, bob] = await pair('profile');
    const changed = event(ada.members, 'updateProfile', (member) => member.clientId === 'bob');
    await bob.updateProfileData((profile) => ({ ...profile, colour: 'red' }));
    assert.deepEqual((await changed).profileData, { name: 'Bob', colour: 'red' });
  });

  spaces('a location is told to the others with the one before', async () => {
    const [ada, bob] = await pair('locations');
    let moved = event(ada.locations, 'update');
    await bob.locations.set({ slide: 1 });
    assert.deepEqual((await moved).currentLocation, { slide: 1 });
    moved = event(ada.locations, 'update');
    await bob.locations.set({ slide: 2 });
    const { previousLocation, currentLocation } = await moved;
    assert.deepEqual([previousLocation, currentLocation], [{ slide: 1 }, { slide: 2 }]);
    assert.deepEqual(Object.values(await ada.locations.getOthers()), [{ slide: 2 }]);
  });

  spaces('cursors move, and the last place of each is known', async () => {
    const [ada, bob] = await pair('cursors');
    const moved = event(ada.cursors, 'update', (cursor) => cursor.clientId === 'bob' && cursor.position.x === 3);
    // A cursor is sent once somebody else is there to see it.
    let x = 0;
    const moving = setInterval(() => bob.cursors.set({ position: { x: Math.min(++x, 3), y: 0 }, data: { pen: 'red' } }), 50);
    const { position, data } = await moved;
    clearInterval(moving);
    assert.deepEqual([position, data], [{ x: 3, y: 0 }, { pen: 'red' }]);
    const last = Object.values(await ada.cursors.getOthers()).filter(Boolean);
    assert.equal(last[0].position.x, 3);
  });

  spaces('one of two gets a lock, and the other when it is released', async () => {
    const [ada, bob] = await pair('locks');
    const held = event(bob.locks, 'update', (lock) => lock.member.clientId === 'ada' && lock.status === 'locked');
    const lock = await ada.locks.acquire('page');
    assert.equal(lock.status, 'pending');
    await held;
    // Of two requests in one millisecond, the SDK prefers neither the first nor the one that has the lock.
    while (Date.now() <= lock.timestamp) await new Promise(setImmediate);
    const denied = [ada, bob].map(({ locks }) =>
      event(locks, 'update', (lock) => lock.member.clientId === 'bob' && lock.status === 'unlocked'));
    await bob.locks.acquire('page');
    await Promise.all(denied);
    const free = event(bob.locks, 'update', (lock) => lock.member.clientId === 'ada' && lock.status === 'unlocked');
    await ada.locks.release('page');
    await free;
    const won = event(ada.locks, 'update', (lock) => lock.member.clientId === 'bob' && lock.status === 'locked');
    await bob.locks.acquire('page');
    await won;
    assert.equal(ada.locks.get('page').member.clientId, 'bob');
  });

  spaces('whoever leaves is told to have left, and is removed a moment later', async () => {
    const [ada, bob] = await pair('leave');
    const left = event(ada.members, 'leave', (member) => member.clientId === 'bob');
    const removed = event(ada.members, 'remove', (member) => member.clientId === 'bob');
    await bob.leave({ name: 'Bob was here' });
    assert.equal((await left).profileData.name, 'Bob was here');
    await removed;
    assert.deepEqual(names(await ada.members.getAll()), ['ada']);
  });

  spaces('whoever closes the client leaves too', async () => {
    const [ada] = await pair('close');
    const [left, removed] = ['leave', 'remove'].map((what) => event(ada.members, what));
    await close(clients.pop());
    assert.deepEqual(names(await Promise.all([left, removed])), ['bob', 'bob']);
  });
}
