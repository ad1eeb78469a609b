// The official JavaScript SDK against the relay, in one room with a Rust player.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Program, client, message, relay } from './support.js';

const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

test('a client connects with a key, publishes and subscribes in order', limit, async () => {
  const [one, two] = [client(server, { clientId: 'one' }), client(server, { clientId: 'two' })];
  const received = [];
  const done = new Promise((resolve) => {
    two.channels.get('chat').subscribe((message) => {
      received.push(message);
      if (received.length === 20) resolve();
    });
  });
  await two.channels.get('chat').attach();
  for (let number = 0; number < 20; number++) await one.channels.get('chat').publish('count', { number });
  await done;
  assert.deepEqual(received.map((message) => message.data.number), [...Array(20).keys()]);
  assert.ok(received.every((message) => message.clientId === 'one' && message.name === 'count'));
  one.close();
  two.close();
});

test('presence shows who enters and who leaves', limit, async () => {
  const [one, two] = [client(server, { clientId: 'one' }), client(server, { clientId: 'two' })];
  const here = one.channels.get('here');
  const [entered, left] = ['enter', 'leave'].map(
    (action) => new Promise((resolve) => here.presence.subscribe(action, (word) => word.clientId === 'two' && resolve(word))),
  );
  await here.presence.enter('I was here first');
  await two.channels.get('here').presence.enter({ colour: 'red' });
  assert.deepEqual((await entered).data, { colour: 'red' });
  const members = await two.channels.get('here').presence.get();
  assert.deepEqual(members.map((member) => member.clientId).sort(), ['one', 'two']);
  two.close();
  await left;
  one.close();
});

test('a client whose socket is cut resumes and misses nothing', limit, async () => {
  const [one, two] = [client(server), client(server)];
  const channel = two.channels.get('line');
  await channel.attach();
  const id = two.connection.id;
  const received = [];
  channel.subscribe((message) => received.push(message.data));
  two.connection.connectionManager.disconnectAllTransports();
  await one.channels.get('line').publish('word', 'while it was away');
  const last = message(channel, (message) => message.data === 'after it came back');
  await two.connection.whenState('connected');
  await one.channels.get('line').publish('word', 'after it came back');
  await last;
  assert.equal(two.connection.id, id, 'the connection was resumed');
  assert.deepEqual(received, ['while it was away', 'after it came back']);
  one.close();
  two.close();
});

test('a wrong key is refused with its code', limit, async () => {
  const wrong = client(server, { key: 'rooms.dev:wrong' });
  const change = await new Promise((resolve) => wrong.connection.once('failed', resolve));
  assert.equal(change.reason.code, 40101);
});

test('a page joins a room that a Rust player hosts', limit, async () => {
  const room = 'otter-badger-fox';
  const host = new Program('examples/bingo', [
    '--headless', '--json', '--host', '--room', room, '--name', 'Rust', '--players', '2',
    '--relay', server.url.replace('http', 'ws'),
  ]);
  const joined = await host.event((event) => event.event === 'joined');
  assert.equal(joined.role, 'host');

  const page = client(server, { clientId: 'page' });
  const channel = page.channels.get(`room:${room}`);
  const inbox = page.channels.get(`room:${room}:to:page`);
  const welcome = message(inbox, (message) => message.name === 'room.welcome');
  await inbox.attach();
  await channel.presence.enter();
  const members = await channel.presence.get();
  assert.ok(members.some((member) => member.clientId === joined.player_id), 'the Rust player is present');

  const hello = (fingerprint) =>
    channel.publish('room.hello', {
      generation: 1, nonce: 'page-1', profile: { name: 'Page' }, wish: 'join', firstRequest: 1, fingerprint,
    });
  // A page does not know what the game's messages are called; the host's refusal tells.
  const refused = message(inbox, (message) => message.name === 'room.refused');
  await hello('');
  const { data: refusal } = await refused;
  assert.equal(refusal.reason, 'protocol-mismatch');
  const deal = message(inbox, (message) => message.name === 'Deal');
  await hello(refusal.theirs);

  const { data } = await welcome;
  assert.equal(data.nonce, 'page-1');
  assert.equal(data.host, joined.player_id);
  const roster = await host.event((event) => event.event === 'roster' && event.players.length === 2);
  assert.deepEqual(roster.players.map((player) => [player.name, player.status, player.host]), [
    ['Rust', 'present', true],
    ['Page', 'present', false],
  ]);

  // With two players the round begins, and the page is dealt a strip. It shouts as any player does, who shows the strip: the
  // host hears it and answers to its inbox.
  const { data: { round, held, marks } } = await deal;
  const answer = message(inbox, (message) => message.name === 'NoPrize');
  await page.channels.get(`room:${room}:to:${joined.player_id}`).publish('room.request', {
    generation: 1, sequence: 1, firstUnconfirmed: 1, kind: 'Shout', data: { round, held, marks },
  });
  assert.deepEqual((await answer).data, { 'not-enough-marks': { found: 0 } });

  await channel.publish('room.leave', { generation: 1, reason: 'left' });
  await host.event((event) => event.event === 'roster' && event.players.length === 1 && host.lines.length > 3);
  page.close();
  await host.stop();
});

test('a relay that stops tells its clients, and ends cleanly', limit, async () => {
  const other = await relay();
  const lonely = client(other);
  await lonely.connection.whenState('connected');
  const told = new Promise((resolve) => lonely.connection.once('disconnected', resolve));
  const code = await other.stop();
  const change = await told;
  assert.equal(code, 0);
  assert.equal(change.reason.code, 80003);
  lonely.close();
});
