// Stands in for the public echo service and connectivity check that the SDK's own suite reaches for, in the same
// process: requests to them go to a server on loopback. A case that does so is marked in the report.
const http = require('node:http');
const https = require('node:https');
const { createHmac } = require('node:crypto');

const ECHO = 'echo.ably.io';
const CHECK = 'internet-up.ably-realtime.com';

/** What the running case is, for whoever reports it. */
exports.cases = { current: null, standIn: new Set() };

const base64url = (value) => Buffer.from(value).toString('base64url');

/** A JWT as the service signs it: for an hour unless the query says otherwise. */
function createJwt(query) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, exp: now + Number(query.get('expiresIn') ?? 3600) };
  if (query.has('clientId')) claims['x-ably-clientId'] = query.get('clientId');
  if (query.has('capability')) claims['x-ably-capability'] = query.get('capability');
  if (query.has('innerToken')) claims['x-ably-token'] = query.get('innerToken');
  const header = { typ: 'JWT', alg: 'HS256', kid: query.get('keyName') };
  const signed = [header, claims].map((part) => base64url(JSON.stringify(part))).join('.');
  return `${signed}.${createHmac('sha256', query.get('keySecret')).update(signed).digest('base64url')}`;
}

function answer(request, response, body) {
  const url = new URL(request.url, 'http://stand-in');
  const query = url.searchParams;
  const send = (status, type, text) => response.writeHead(status, { 'content-type': type }).end(text);
  const types = { json: 'application/json; charset=utf-8', text: 'text/plain; charset=utf-8', jwt: 'application/jwt' };
  switch (url.pathname) {
    case '/is-the-internet-up.txt':
      return send(200, 'text/plain', 'yes\n');
    case '/createJWT':
      if (query.has('encrypted')) return send(501, 'text/plain', 'encrypted tokens are not made here');
      return send(200, query.get('returnType') === 'jwt' ? types.jwt : types.text, createJwt(query));
    case '/qs_to_body':
      return send(200, types.json, JSON.stringify(Object.fromEntries(query)));
    case '/methods':
      return send(200, types.json, JSON.stringify({ method: request.method.toLowerCase() }));
    default: {
      const status = Number(query.get('status') ?? 200);
      // Without a body to send back, the fields of the form that came.
      const text = query.get('body') ?? JSON.stringify(Object.fromEntries(new URLSearchParams(body)));
      return send(status, types[query.get('type')] ?? 'text/plain', text);
    }
  }
}

const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => answer(request, response, body));
});
server.listen(0, '127.0.0.1');
server.unref();

/** The host that a call of `request` means, in each of its forms. */
function hostOf(args) {
  const [first, second] = args;
  if (typeof first === 'string' || first instanceof URL) return new URL(first).hostname;
  return first?.hostname ?? first?.host ?? second?.hostname;
}

const plain = http.request;
for (const module of [http, https]) {
  const direct = module.request;
  module.request = function (...args) {
    if (![ECHO, CHECK].includes(hostOf(args))) return direct.apply(this, args);
    exports.cases.standIn.add(exports.cases.current);
    const url = typeof args[0] === 'string' || args[0] instanceof URL ? new URL(args[0]) : null;
    const { agent, createConnection, ...options } = args.find((arg) => arg?.constructor === Object) ?? {};
    const loopback = { hostname: '127.0.0.1', host: '127.0.0.1', protocol: 'http:', port: server.address().port };
    const path = url ? url.pathname + url.search : options.path;
    return plain({ ...options, ...loopback, path }, args.find((arg) => typeof arg === 'function'));
  };
  module.get = (...args) => module.request(...args).end();
}
