// Ephemeral messages, occupancy and codes, with the oldest SDK for JavaScript that programs still use and with the newest.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEVELOPMENT_KEY, relay } from './programs.js';
import { SDKS, listen } from './versions.js';

const limit = { timeout: 60_000 };
let server;

before(async () => {
  server = await relay();
}, limit);
after(() => server.stop());

for (const [name, open] of SDKS) {
  const connect = (more) => open(server, more);

  test(`${name}: an ephemeral message comes and is not kept, and one publish does not mix`, limit, async () => {
    const [one, other] = [connect(), connect()];
    const channel = one.channels.get(`ephemeral-${name}`);
    const { reach, subscribed } = listen(other.channels.get(`ephemeral-${name}`));
    await subscribed;
    const here = { name: 'emote', data: 'here', extras: { ephemeral: true } };
    await channel.publish(here);
    await assert.rejects(channel.publish([here, { name: 'emote', data: 'mixed' }]), { code: 40030, statusCode: 400 });
    await channel.publish('word', 'kept');
    assert.deepEqual(await reach(2), ['here', 'kept']);
    assert.deepEqual((await channel.history()).items.map((message) => message.data), ['kept']);
    one.close();
    other.close();
  });

  test(`${name}: who watches the occupancy is told who comes and goes`, limit, async () => {
    const [one, other] = [connect(), connect({ clientId: 'other' })];
    const watched = one.channels.get(`watched-${name}`, { params: { occupancy: 'metrics.presenceMembers' } });
    const members = listen(watched, '[meta]occupancy');
    await members.subscribed;
    const all = listen(one.channels.get(`[?occupancy=metrics]watched-${name}`), '[meta]occupancy');
    assert.equal((await all.reach(1))[0].metrics.connections, 1);
    const channel = other.channels.get(`watched-${name}`);
    await channel.presence.enter();
    await members.reach(2);
    await channel.presence.leave();
    const numbers = (await members.reach(3)).map(({ metrics }) => metrics);
    assert.deepEqual(numbers, [0, 1, 0].map((presenceMembers) => ({ presenceMembers })));
    await all.until((events) => events.at(-1).metrics.connections === 2);
    one.close();
    other.close();
  });

  test(`${name}: codes are those of the cloud`, limit, async () => {
    const one = connect({ clientId: 'one' });
    const channel = one.channels.get(`modes-${name}`, { modes: ['SUBSCRIBE', 'PRESENCE_SUBSCRIBE'] });
    await channel.attach();
    await assert.rejects(channel.publish('word', 'x'), { code: 40165, statusCode: 401 });
    await assert.rejects(channel.presence.enter(), { code: 40165, statusCode: 401 });
    one.close();
    for (const [key, code] of [['rooms.none:secret', 40400], ['rooms.dev:wrong', 40101], [`${DEVELOPMENT_KEY}x`, 40101]]) {
      const client = connect({ key });
      const change = await new Promise((resolve) => client.connection.once('failed', resolve));
      assert.equal(change.reason.code, code, key);
    }
  });
}
