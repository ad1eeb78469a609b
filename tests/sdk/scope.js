// What of the JavaScript SDK's own suite the relay is held against, and what not and why.

/** Files that are in scope, by their path in `test/` without `.test.js`. */
export const FILES = [
  'realtime/api', 'realtime/auth', 'realtime/channel', 'realtime/connection', 'realtime/crypto', 'realtime/encoding',
  'realtime/event_emitter', 'realtime/failure', 'realtime/history', 'realtime/init', 'realtime/message',
  'realtime/presence', 'realtime/reauth', 'realtime/resume', 'realtime/sync',
  'rest/api', 'rest/auth', 'rest/capability', 'rest/history', 'rest/http', 'rest/init', 'rest/message',
  'rest/presence', 'rest/request', 'rest/time',
];

/** Files that are out of scope, with the reason. */
export const FILES_OUT = {
  'realtime/annotations': 'annotations: a game does not need them',
  'realtime/delta': 'deltas: the state of a room travels as patches already',
  'realtime/liveobjects': 'LiveObjects: rooms have shared state of their own',
  'realtime/updates-deletes': 'updates and deletes of messages: a game does not need them',
  'realtime/connectivity': 'checks of the client against public services',
  'realtime/transports': 'fallback between transports of the client',
  'realtime/utils': 'no server involved',
  'rest/batch': 'batch and revocation: a game does not need them',
  'rest/bufferutils': 'no server involved',
  'rest/defaults': 'no server involved',
  'rest/fallbacks': 'fallback hosts of the client',
  'rest/liveobjects': 'LiveObjects',
  'rest/push': 'push notifications',
  'rest/stats': 'statistics',
  'rest/status': 'channel status beyond what rooms use',
  'rest/updates-deletes': 'updates and deletes of messages',
};

/** Cases in files of the scope that are out of it: a pattern of the title, and the reason. */
export const CASES_OUT = [
  [/request_batch_api/, 'batch requests'],
  [/subscribes to filtered channel/, 'derived channels, which filter by an expression over messages'],
  [/Rest embedded JWT with encryption/, 'encrypted tokens inside JWTs; games have no use for a token that clients cannot read'],
  [/Init without any tls key/, 'the server under test has no TLS, which the case takes for granted'],
  [/node_transports/, 'other transports than WebSocket'],
];
