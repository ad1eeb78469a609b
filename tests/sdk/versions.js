// The oldest SDK for JavaScript that programs still use, and the newest, with one interface.
import * as Newest from 'ably';
import Oldest from 'ably-1';
import { DEVELOPMENT_KEY } from './programs.js';

const host = '127.0.0.1';

/** Options that lead to `server`. */
const address = (server) => ({ key: DEVELOPMENT_KEY, port: server.port, tls: false, transports: ['web_socket'] });

/** For each SDK its name and a function that makes a client of a server, with more options. */
export const SDKS = [
  ['the oldest SDK', (server, more) =>
    new Oldest.Realtime.Promise({ ...address(server), restHost: host, realtimeHost: host, ...more })],
  ['the newest SDK', (server, more) => new Newest.Realtime({ ...address(server), endpoint: host, ...more })],
];

/** Subscribes to `channel`: a promise of the attachment, and functions that wait for what came so far to pass a test, or to be so many. */
export function listen(channel, ...event) {
  const received = [];
  let look = () => {};
  const subscribed = channel.subscribe(...event, (message) => {
    received.push(message.data);
    look();
  });
  const until = (test) =>
    new Promise((resolve) => {
      look = () => test(received) && resolve(received);
      look();
    });
  return { subscribed, until, reach: (count) => until(({ length }) => length >= count) };
}
