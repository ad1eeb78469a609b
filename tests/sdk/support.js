// What the tests of the official SDK share: programs, clients and waiting for messages.
import * as Ably from 'ably';
import { DEVELOPMENT_KEY } from './programs.js';

export * from './programs.js';

/** A client of the official SDK. */
export function client(relay, options = {}) {
  return new Ably.Realtime({
    key: DEVELOPMENT_KEY,
    endpoint: '127.0.0.1',
    port: relay.port,
    tls: false,
    useBinaryProtocol: false,
    ...options,
  });
}

/** Resolves with the first message on `channel` that `match` is true for. */
export function message(channel, match) {
  return new Promise((resolve) => {
    const look = (message) => {
      if (!match(message)) return;
      channel.unsubscribe(look);
      resolve(message);
    };
    channel.subscribe(look);
  });
}
