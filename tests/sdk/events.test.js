// Streams of events as programs without an SDK read them: `curl`, and whatever can read HTTP.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { DEVELOPMENT_KEY, Events, client, relay } from './support.js';

const limit = { timeout: 60_000 };
const curl = spawnSync('curl', ['--version']).status === 0;
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

/** The events of a stream, one after the other, by the rules of server-sent events. */
async function* events(url, headers = {}) {
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  let text = '';
  let event = {};
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (text + part).split('\n');
    text = lines.pop();
    for (const line of lines) {
      const [, field, value] = line.match(/^([^:]*):? ?(.*)$/);
      if (field) event[field] = event[field] === undefined ? value : `${event[field]}\n${value}`;
      if (line === '' && event.data !== undefined) yield event;
      if (line === '') event = {};
    }
  }
}

const address = (path, query) => `${server.url}${path}?${new URLSearchParams({ v: '1.2', ...query })}`;

/** `curl -N` with these arguments, and the lines that it prints. */
function curled(...args) {
  const printed = new Events();
  const child = spawn('curl', ['--no-buffer', '--silent', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', (line) => printed.push(line));
  return { printed, stop: async () => (child.kill(), once(child, 'close')) };
}

test('what an SDK publishes comes as events, in order, and goes on after a break', limit, async () => {
  const publisher = client(server, { clientId: 'ada' });
  const channel = publisher.channels.get('events');
  const query = { channels: 'events', key: DEVELOPMENT_KEY };
  await channel.publish('before', 'x');
  let stream = events(address('/sse', { ...query, rewind: '1' }));
  assert.equal(JSON.parse((await stream.next()).value.data).name, 'before');
  let last;
  let expected = 0;
  const publishing = (async () => {
    for (let number = 0; number < 100; number++) {
      await channel.publish([{ name: 'count', data: { number } }, { name: 'text', data: `${number}\nof 100` }]);
    }
  })();
  while (expected < 200) {
    const { value } = await stream.next();
    last = value.id;
    const { name, data, clientId, channel: where } = JSON.parse(value.data);
    const number = Math.floor(expected / 2);
    assert.deepEqual([name, clientId, where], [expected % 2 ? 'text' : 'count', 'ada', 'events']);
    assert.deepEqual(data, expected % 2 ? `${number}\nof 100` : JSON.stringify({ number }));
    expected += 1;
    if (expected % 37 === 0) {
      await stream.return();
      stream = events(address('/sse', query), { 'last-event-id': last });
    }
  }
  await publishing;
  await stream.return();
  publisher.close();
});

test('members who come and go are events', limit, async () => {
  const stream = events(address('/event-stream', { channels: 'events-here', key: DEVELOPMENT_KEY }));
  const seen = stream.next();
  const member = client(server, { clientId: 'ada' });
  // The stream may begin after the first words.
  const saying = setInterval(() => member.channels.get('events-here').presence.update('here'), 50);
  const { value } = await seen;
  clearInterval(saying);
  assert.equal(value.event, 'presence');
  assert.equal(JSON.parse(value.data).clientId, 'ada');
  await stream.return();
  await member.connection.ping();
  member.close();
});

test('a channel that a token does not allow is refused as JSON', limit, async () => {
  const issuer = client(server);
  const { token } = await issuer.auth.requestToken({ capability: { mine: ['subscribe'] } });
  issuer.close();
  const response = await fetch(address('/sse', { channels: 'other', accessToken: token }));
  const { error } = await response.json();
  assert.deepEqual([response.status, error.code, error.href], [401, 40160, 'https://help.ably.io/error/40160']);
});

test('curl shows events, and publishes a form', { ...limit, skip: !curl && 'there is no curl here' }, async () => {
  const user = ['--user', DEVELOPMENT_KEY];
  const shown = curled(...user, address('/sse', { channels: 'curl', enveloped: 'false', rewind: '1' }));
  const lines = curled(...user, address('/event-stream', { channels: 'curl', rewind: '1' }));
  const post = spawnSync('curl', ['--silent', ...user, '-d', 'name=say', '--data-urlencode', 'data=one\ntwo & three',
    `${server.url}/channels/curl/messages`]);
  assert.equal(JSON.parse(post.stdout).channel, 'curl');
  await shown.printed.line((line) => line === 'event: message');
  await shown.printed.line((line) => line === 'data: two & three');
  const { data } = JSON.parse(await lines.printed.line((line) => line.startsWith('{') && line));
  assert.deepEqual([data.name, data.data, data.channel], ['say', 'one\ntwo & three', 'curl']);
  await Promise.all([shown.stop(), lines.stop()]);
});
