// What of the JavaScript SDK's own suite the relay is held against, and what not and why.

/** Files that are in scope, by their path in `test/` without `.test.js`. */
export const FILES = [
  'realtime/api', 'realtime/auth', 'realtime/channel', 'realtime/connection', 'realtime/crypto', 'realtime/encoding',
  'realtime/event_emitter', 'realtime/failure', 'realtime/history', 'realtime/init', 'realtime/message',
  'realtime/presence', 'realtime/reauth', 'realtime/resume', 'realtime/sync',
  'rest/api', 'rest/auth', 'rest/capability', 'rest/history', 'rest/http', 'rest/init', 'rest/message',
  'rest/presence', 'rest/request', 'rest/status', 'rest/time',
  'uts/realtime/integration/auth/auth', 'uts/realtime/integration/auth/token_renewal',
  'uts/realtime/integration/auth/token_request', 'uts/realtime/integration/channels/channel_attach',
  'uts/realtime/integration/channels/channel_history', 'uts/realtime/integration/channels/channel_publish',
  'uts/realtime/integration/channels/channel_subscribe', 'uts/realtime/integration/connection/connection_failures',
  'uts/realtime/integration/connection/connection_lifecycle', 'uts/realtime/integration/presence/presence_lifecycle',
  'uts/realtime/integration/presence/presence_sync',
  'uts/rest/integration/auth', 'uts/rest/integration/history', 'uts/rest/integration/pagination',
  'uts/rest/integration/presence', 'uts/rest/integration/publish', 'uts/rest/integration/revoke_tokens',
  'uts/rest/integration/time_stats',
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
  'rest/updates-deletes': 'updates and deletes of messages',
  'uts/objects': 'LiveObjects',
  'uts/realtime/integration/delta_decoding': 'deltas',
  'uts/realtime/integration/mutable_messages': 'updates and deletes of messages',
  'uts/realtime/integration/proxy': 'faults that a proxy of its own makes, for the client',
  'uts/rest/integration/batch_presence': 'batch requests',
  'uts/rest/integration/mutable_messages': 'updates and deletes of messages',
  'uts/rest/integration/proxy': 'faults that a proxy of its own makes, for the client',
  'uts/rest/integration/push_admin': 'push notifications',
  'uts/rest/integration/push_channels': 'push notifications',
};

/** Cases in files of the scope that are out of it: a pattern of the title, and the reason. */
export const CASES_OUT = [
  [/request_batch_api/, 'batch requests'],
  [/subscribes to filtered channel/, 'derived channels, which filter by an expression over messages'],
  [/Rest embedded JWT with encryption/, 'encrypted tokens inside JWTs; games have no use for a token that clients cannot read'],
  [/Init without any tls key/, 'the server under test has no TLS, which the case takes for granted'],
  [/node_transports/, 'other transports than WebSocket'],
];
