// The oldest SDK for JavaScript that programs still use, 1.2.50, against the relay.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Ably from 'ably-1';
import { DEVELOPMENT_KEY, relay } from './programs.js';

const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

function options(more) {
  const host = '127.0.0.1';
  return { key: DEVELOPMENT_KEY, restHost: host, realtimeHost: host, port: server.port, tls: false, ...more };
}

function connect(more = {}) {
  return new Ably.Realtime.Promise(options({ transports: ['web_socket'], ...more }));
}

/** Resolves with the first `count` messages of `channel`, which is attached then. */
async function listen(channel, count) {
  const received = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await channel.subscribe((message) => {
    received.push(message.data);
    if (received.length === count) done(received);
  });
  return () => all;
}

for (const useBinaryProtocol of [false, true]) {
  test(`messages arrive in order, ${useBinaryProtocol ? 'in MessagePack' : 'in JSON'}`, limit, async () => {
    const [one, two] = [connect({ useBinaryProtocol, clientId: 'one' }), connect({ useBinaryProtocol })];
    const name = `old-order-${useBinaryProtocol}`;
    const received = await listen(two.channels.get(name), 10);
    for (let number = 0; number < 10; number++) await one.channels.get(name).publish('count', { number });
    assert.deepEqual((await received()).map(({ number }) => number), [...Array(10).keys()]);
    one.close();
    two.close();
  });
}

test('presence shows who enters and who leaves', limit, async () => {
  const [one, two] = [connect({ clientId: 'one' }), connect({ clientId: 'two' })];
  const here = one.channels.get('old-here');
  const seen = (action) =>
    new Promise((resolve) => here.presence.subscribe(action, (change) => change.clientId === 'two' && resolve(change)));
  const [entered, left] = [seen('enter'), seen('leave')];
  await here.presence.enter('first');
  await two.channels.get('old-here').presence.enter({ colour: 'red' });
  assert.deepEqual((await entered).data, { colour: 'red' });
  const members = await two.channels.get('old-here').presence.get();
  assert.deepEqual(members.map((member) => member.clientId).sort(), ['one', 'two']);
  two.close();
  await left;
  one.close();
});

test('history comes in pages, and rewind shows its end', limit, async () => {
  const writer = new Ably.Rest.Promise(options());
  const channel = writer.channels.get('old-history');
  for (let number = 0; number < 5; number++) await channel.publish('count', String(number));
  const page = await channel.history({ direction: 'forwards', limit: 3 });
  assert.deepEqual(page.items.map((message) => message.data), ['0', '1', '2']);
  assert.deepEqual((await page.next()).items.map((message) => message.data), ['3', '4']);
  const reader = connect();
  const received = await listen(reader.channels.get('old-history', { params: { rewind: '2' } }), 2);
  assert.deepEqual(await received(), ['3', '4']);
  reader.close();
});

test('after a cut socket nothing is missing and nothing comes twice', limit, async () => {
  const [one, two] = [connect(), connect()];
  const received = await listen(two.channels.get('old-line'), 3);
  const channel = one.channels.get('old-line');
  await channel.publish('word', 'before');
  const id = two.connection.id;
  two.connection.connectionManager.disconnectAllTransports();
  await channel.publish('word', 'while it was away');
  await two.connection.whenState('connected');
  await channel.publish('word', 'after it came back');
  assert.deepEqual(await received(), ['before', 'while it was away', 'after it came back']);
  assert.equal(two.connection.id, id, 'the connection was resumed');
  one.close();
  two.close();
});

test('a token goes as far as it says', limit, async () => {
  const issuer = new Ably.Rest.Promise(options());
  const { token } = await issuer.auth.requestToken({ clientId: 'ada', capability: { 'old-mine': ['subscribe'] } });
  const ada = connect({ key: undefined, token });
  await ada.channels.get('old-mine').attach();
  assert.equal(ada.auth.clientId, 'ada');
  await assert.rejects(ada.channels.get('old-other').attach(), { code: 40160 });
  ada.close();
});
