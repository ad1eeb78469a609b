// A page that friends open over the network, where a browser trusts it less than one of the same machine.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { Stage, joined } from './players.js';

const stage = new Stage('bingo', '--listen', '0.0.0.0:0');

const isOnNetwork = Object.values(networkInterfaces()).flat().some(({ family, internal }) => family === 'IPv4' && !internal);
const skip = isOnNetwork ? false : 'this machine is in no network';

test('friends come in by the link, and by the code that a camera reads it from', { timeout: 120_000, skip }, async () => {
  const room = 'otter-badger-fox';
  assert.ok(!/^(127|0)\./.test(new URL(stage.address).hostname), 'it is opened at this machine’s address in the network');
  const ada = await stage.tab({ room, host: '', name: 'Ada', players: 9 });
  await joined(ada);
  const link = `${stage.address}/?room=${room}`;
  await ada.screenshots('invited');
  assert.equal(await ada.code(), link);
  // A terminal takes the link too.
  const bob = await stage.native(link, 'Bob', '--join');
  const cid = await stage.tab({ room, name: 'Cid' });
  for (const friend of [bob, cid]) assert.equal((await joined(friend)).role, 'peer');
  await ada.event(({ event, players }) => event === 'roster' && players.length === 3);
  ada.assertNoErrors();
  cid.assertNoErrors();
});
