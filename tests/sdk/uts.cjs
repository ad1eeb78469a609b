// Has the suite's cases of the universal test specifications meet the relay instead of the sandbox of the cloud, which they name
// in their source. The relay's address is in ABLY_LOCAL_SANDBOX_URL.
const Module = require('node:module');

const SANDBOX = { endpoint: 'nonprod:sandbox', host: 'sandbox.realtime.ably-nonprod.net' };
const relay = new URL(process.env.ABLY_LOCAL_SANDBOX_URL);

const reach = globalThis.fetch;
globalThis.fetch = (address, options) => {
  const url = new URL(address);
  return reach(url.host === SANDBOX.host ? new URL(url.pathname + url.search, relay) : url, options);
};

// Every client reads its options with this function.
const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  const defaults = /util\/defaults$/.test(request) ? loaded?.default : undefined;
  if (defaults?.objectifyOptions && !defaults.meetsTheRelay) {
    const read = defaults.objectifyOptions;
    defaults.meetsTheRelay = true;
    defaults.objectifyOptions = (...args) => {
      const options = read(...args);
      const local = { endpoint: relay.hostname, port: Number(relay.port), tls: false };
      return options.endpoint === SANDBOX.endpoint ? { ...options, ...local } : options;
    };
  }
  return loaded;
};
