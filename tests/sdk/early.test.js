// What a program publishes before its channel is attached, with the oldest SDK for JavaScript that programs still use and with the newest.
// Both send such a message before the ATTACH.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { relay } from './programs.js';
import { SDKS, listen } from './versions.js';

const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

for (const [name, open] of SDKS) {
  const connect = (more) => open(server, more);

  test(`${name}: a publisher sees what it published before it subscribed, in order and once`, limit, async () => {
    const [one, other] = [connect({ clientId: 'one' }), connect()];
    const early = `early-${name}`;
    await other.channels.get(early).publish('word', 'of another, before');
    const channel = one.channels.get(early);
    const published = ['a', 'b', 'c'].map((data) => channel.publish('word', data));
    const { reach, subscribed } = listen(channel);
    await Promise.all([...published, subscribed]);
    await channel.publish('word', 'd');
    await other.channels.get(early).publish('word', 'e');
    assert.deepEqual(await reach(5), ['a', 'b', 'c', 'd', 'e']);
    one.close();
    other.close();
  });

  test(`${name}: an acknowledged message comes with the attachment and all since, and a resume repeats nothing`, limit, async () => {
    const [one, other] = [connect(), connect()];
    const early = `acknowledged-${name}`;
    const channel = one.channels.get(early);
    await channel.publish('word', 'a');
    await other.channels.get(early).publish('word', 'of another, meanwhile');
    const { reach, subscribed } = listen(channel);
    await subscribed;
    await reach(2);
    const id = one.connection.id;
    one.connection.connectionManager.disconnectAllTransports();
    await other.channels.get(early).publish('word', 'b');
    await one.connection.whenState('connected');
    await channel.publish('word', 'c');
    assert.deepEqual(await reach(4), ['a', 'of another, meanwhile', 'b', 'c']);
    assert.equal(one.connection.id, id, 'the connection was resumed');
    one.close();
    other.close();
  });

  test(`${name}: without echo nothing comes back`, limit, async () => {
    const [one, other] = [connect({ echoMessages: false }), connect()];
    const early = `silent-${name}`;
    const channel = one.channels.get(early);
    const published = channel.publish('word', 'a');
    const { reach, subscribed } = listen(channel);
    await Promise.all([published, subscribed]);
    await other.channels.get(early).publish('word', 'b');
    assert.deepEqual(await reach(1), ['b']);
    one.close();
    other.close();
  });
}
