// The official JavaScript SDK against the relay: what a game or a page may count on, beside rooms.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import * as Ably from 'ably';
import { DEVELOPMENT_KEY, client, message, relay } from './support.js';

const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

const rest = (options = {}) =>
  new Ably.Rest({ key: DEVELOPMENT_KEY, endpoint: '127.0.0.1', port: server.port, tls: false, ...options });

const encodings = [false, true];
const named = (binary) => (binary ? 'MessagePack' : 'JSON');

/** A JWT signed with the development key. */
function jwt(claims) {
  const [name, secret] = DEVELOPMENT_KEY.split(':');
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ typ: 'JWT', alg: 'HS256', kid: name }, { iat: now, exp: now + 60, ...claims }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const refused = (promise, code) => assert.rejects(promise, (error) => error.code === code);

for (const publisher of encodings) {
  for (const subscriber of encodings) {
    test(`${named(publisher)} is understood by a client that speaks ${named(subscriber)}`, limit, async () => {
      const from = client(server, { useBinaryProtocol: publisher });
      const to = client(server, { useBinaryProtocol: subscriber });
      const name = `encodings-${publisher}-${subscriber}`;
      const received = [];
      const done = message(to.channels.get(name), (message) => received.push(message) === 3);
      await to.channels.get(name).attach();
      const payloads = ['héllo', { nested: [1, null, 'x'] }, Buffer.from([0, 159, 255])];
      await from.channels.get(name).publish(payloads.map((data) => ({ name: 'x', data })));
      await done;
      assert.deepEqual(received.map((message) => message.data), payloads);
      const { items } = await rest({ useBinaryProtocol: subscriber }).channels.get(name).history({ direction: 'forwards' });
      assert.deepEqual(items.map((message) => message.data), payloads);
      from.close();
      to.close();
    });
  }
}

test('history comes in pages, and up to where a client attached', limit, async () => {
  const one = client(server);
  const channel = one.channels.get('history');
  for (let number = 0; number < 5; number++) await channel.publish('count', String(number));
  const two = client(server);
  const late = two.channels.get('history');
  await late.attach();
  await channel.publish('count', 'after');
  const numbers = [];
  let page = await late.history({ untilAttach: true, limit: 2 });
  for (; page; page = await page.next()) numbers.push(...page.items.map((message) => message.data));
  assert.deepEqual(numbers, ['4', '3', '2', '1', '0']);
  one.close();
  two.close();
});

test('rewind shows a newcomer what was said before', limit, async () => {
  const [one, two] = [client(server), client(server)];
  for (const word of ['first', 'second', 'third']) await one.channels.get('rewind').publish('word', word);
  const received = [];
  const channel = two.channels.get('rewind', { params: { rewind: '2' } });
  const last = message(channel, (message) => received.push(message.data) === 2);
  await last;
  assert.deepEqual(received, ['second', 'third']);
  one.close();
  two.close();
});

test('a requested token lets its client in, and only as far as it goes', limit, async () => {
  const capability = { 'mine:*': ['publish', 'subscribe'] };
  const details = await rest().auth.requestToken({ clientId: 'ada', capability });
  const ada = client(server, { key: undefined, token: details.token });
  await ada.channels.get('mine:1').publish('a', 'x');
  assert.equal(ada.auth.clientId, 'ada');
  await refused(ada.channels.get('other').publish('a', 'x'), 40160);
  ada.close();
});

test('a token request that was signed elsewhere is taken once', limit, async () => {
  const request = await rest().auth.createTokenRequest({ clientId: 'ada' });
  const path = `/keys/${request.keyName}/requestToken`;
  const ask = async () => (await rest().request('post', path, 6, null, request, null)).statusCode;
  assert.equal(await ask(), 201);
  assert.equal(await ask(), 401, 'the nonce is used up');
});

test('a JWT lets its client in until it runs out', limit, async () => {
  const ada = client(server, { key: undefined, token: jwt({ 'x-ably-clientId': 'ada' }) });
  await ada.connection.whenState('connected');
  assert.equal(ada.auth.clientId, 'ada');
  ada.close();
  const now = Math.floor(Date.now() / 1000);
  await refused(rest({ key: undefined, token: jwt({ iat: now - 20, exp: now - 10 }) }).channels.get('a').history(), 40171);
});

test('nobody speaks as another', limit, async () => {
  const details = await rest().auth.requestToken({ clientId: 'ada' });
  // The SDK would refuse this by itself, so it goes out by hand.
  const forged = { name: 'a', data: 'x', clientId: 'bob' };
  const holder = rest({ key: undefined, token: details.token });
  const answer = await holder.request('post', '/channels/a/messages', 6, null, forged, null);
  assert.deepEqual([answer.success, answer.errorCode], [false, 40012]);

  const ada = client(server, { key: undefined, token: details.token });
  const channel = ada.channels.get('forgery');
  await channel.attach();
  const nack = new Promise((resolve) => {
    const { transport } = ada.connection.connectionManager.activeProtocol;
    const original = transport.onProtocolMessage.bind(transport);
    transport.onProtocolMessage = (frame) => (frame.action === 2 ? resolve(frame.error) : original(frame));
    transport.send({ action: 15, channel: 'forgery', msgSerial: 0, messages: [forged] });
  });
  assert.equal((await nack).code, 40012);
  ada.close();

  const bob = client(server, { key: undefined, token: details.token, clientId: 'bob' });
  assert.equal((await bob.connection.once('failed')).reason.code, 40102);
});

test('a message may be 64 KiB and no larger', limit, async () => {
  // A client that does not know the limit, so that the relay is asked.
  const answer = (bytes) => rest({ maxMessageSize: 1_000_000 }).channels.get('large').publish('', 'x'.repeat(bytes));
  await answer(65_536);
  await refused(answer(65_537), 40009);
});

test('what is published while the line is cut arrives once', limit, async () => {
  const [one, two] = [client(server), client(server)];
  const received = [];
  const channel = two.channels.get('queued');
  const last = message(channel, (message) => received.push(message.data) === 4);
  await channel.attach();
  const queue = one.channels.get('queued');
  await queue.publish('word', '0');
  // Sent, but its answer is lost with the line; the rest waits for the next line.
  const publishes = [queue.publish('word', '1')];
  one.connection.connectionManager.disconnectAllTransports();
  publishes.push(queue.publish('word', '2'), queue.publish('word', '3'));
  await Promise.all(publishes);
  await last;
  assert.deepEqual(received, ['0', '1', '2', '3']);
  const { items } = await queue.history();
  assert.equal(items.length, 4);
  one.close();
  two.close();
});
