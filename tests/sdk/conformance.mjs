#!/usr/bin/env node
// Runs the JavaScript SDK's own suite against the relay, and writes the table of it in docs/conformance.md.
//
//   tests/sdk/conformance.mjs SUITE [FILE…]
//
// SUITE is a checkout of the SDK's repository in which its packages are installed and its Node build is made, since
// nothing is fetched or built here. Files in `uts` are the suite's cases of the universal test specifications. With FILEs, such as `rest/time`, only those run, and the table is printed alone.
// The relay is the debug build in CARGO_TARGET_DIR.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { relay } from './programs.js';
import { CASES_OUT, FILES, FILES_OUT } from './scope.js';

const here = dirname(fileURLToPath(import.meta.url));
const document = resolve(here, '../../docs/conformance.md');
const markers = ['<!-- relay: made by tests/sdk/conformance.mjs -->', '<!-- relay: end -->'];

/** A port where nobody listens, for the cases that need no server. */
const NOBODY = 'http://127.0.0.1:9';

/** Runs one file of the suite, and gives its cases. */
async function run(suite, file, server) {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const results = join(folder, 'results');
  writeFileSync(results, '');
  const reporter = ['--exit', '--reporter', join(here, 'reporter.cjs')];
  const args = file.startsWith('uts/')
    ? ['mocha', '--no-config', '--require', 'tsx/cjs', '--require', join(here, 'uts.cjs'), ...reporter, `test/${file}.test.ts`]
    : ['mocha', ...reporter, `test/${file}.test.js`];
  const env = {
    ...process.env, CONFORMANCE_RESULTS: results, ABLY_LOCAL_SANDBOX_URL: server, ABLY_TEST_TRANSPORTS: 'web_socket',
    ABLY_LOG_LEVEL: '0',
  };
  const mocha = spawn('npx', ['--no-install', ...args], { cwd: suite, env, stdio: 'ignore' });
  await once(mocha, 'close');
  const cases = readFileSync(results, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  rmSync(folder, { recursive: true });
  return cases;
}

/** Why a case is out of scope; undefined if it is not. */
const outOfScope = (title) => CASES_OUT.find(([pattern]) => pattern.test(title))?.[1];

const isFailure = (result) => result === 'failed' || result === 'hook';

function summary(file, cases, alone) {
  const inScope = cases.filter((entry) => !outOfScope(entry.title));
  const of = (result) => inScope.filter((entry) => entry.result === result);
  const passed = of('passed');
  const failed = inScope.filter((entry) => isFailure(entry.result));
  const withoutServer = passed.filter((entry) => alone.has(entry.title));
  return {
    file, failed, skipped: of('skipped').length, out: cases.length - inScope.length,
    passed: passed.length - withoutServer.length, withoutServer: withoutServer.length,
    standIn: passed.filter((entry) => entry.standIn).length,
    secondTries: passed.filter((entry) => entry.isSecondTry).map((entry) => entry.title),
  };
}

function table(rows, version) {
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  const failed = rows.reduce((total, row) => total + row.failed.length, 0);
  const line = (...cells) => `| ${cells.join(' | ')} |`;
  const lines = [
    `Suite: \`ably/ably-js\` ${version}, WebSocket transport, Node ${process.versions.node}. A case that passes with no`,
    'server at all is counted apart. One that reaches for the public echo service or connectivity check gets a local',
    'stand-in for it, and is counted again in the last column.', '',
    line('file', 'passed', 'failed', 'needs no server', 'skipped by the suite', 'out of scope', 'with stand-in'),
    line('---', '---:', '---:', '---:', '---:', '---:', '---:'),
    ...rows.map((row) =>
      line(row.file, row.passed, row.failed.length, row.withoutServer, row.skipped, row.out, row.standIn)),
    line('**all**', sum('passed'), failed, sum('withoutServer'), sum('skipped'), sum('out'), sum('standIn')),
  ];
  const failures = rows.flatMap((row) => row.failed);
  if (failures.length > 0) {
    lines.push('', 'Failed:', '', ...failures.map(({ title, why }) => `* ${title}: ${(why ?? '').split('\n')[0].slice(0, 120)}`));
  }
  const secondTries = rows.flatMap((row) => row.secondTries);
  if (secondTries.length > 0) {
    lines.push('', 'Passed when tried again:', '', ...secondTries.map((title) => `* ${title}`));
  }
  lines.push('', 'Cases out of scope in these files:', '', ...CASES_OUT.map(([pattern, why]) => `* \`${pattern.source}\`: ${why}`));
  lines.push('', 'Files out of scope:', '', ...Object.entries(FILES_OUT).map(([file, why]) => `* ${file}: ${why}`));
  return lines.join('\n');
}

async function main([suite, ...files]) {
  if (!suite || !existsSync(join(suite, 'build', 'ably-node.js'))) {
    console.error('usage: tests/sdk/conformance.mjs SUITE [FILE…], where SUITE is a checkout of the SDK with its Node build');
    process.exit(2);
  }
  const version = JSON.parse(readFileSync(join(suite, 'package.json'), 'utf8')).version;
  const server = await relay('--sandbox');
  const rows = [];
  for (const file of files.length > 0 ? files : FILES) {
    const alone = await run(suite, file, NOBODY);
    const passedAlone = new Set(alone.filter((entry) => entry.result === 'passed').map((entry) => entry.title));
    const cases = await run(suite, file, server.url);
    // Some cases depend on timing, such as one that wants a ping to take a millisecond at least. They may try again.
    if (cases.some(({ result, title }) => isFailure(result) && !outOfScope(title))) {
      const second = new Map((await run(suite, file, server.url)).map((entry) => [entry.title, entry]));
      for (const entry of cases) {
        if (isFailure(entry.result) && second.get(entry.title)?.result === 'passed') {
          Object.assign(entry, { result: 'passed', isSecondTry: true });
        }
      }
    }
    const row = summary(file, cases, passedAlone);
    console.error(`${file}: ${row.passed + row.withoutServer} passed, ${row.failed.length} failed`);
    row.failed.forEach(({ title, why }) => console.error(`  ${title}: ${why}`));
    rows.push(row);
  }
  await server.stop();
  const text = table(rows, version);
  if (files.length > 0) return console.log(text);
  const before = readFileSync(document, 'utf8');
  const [start, end] = markers.map((marker) => before.indexOf(marker));
  writeFileSync(document, `${before.slice(0, start + markers[0].length)}\n\n${text}\n\n${before.slice(end)}`);
}

await main(process.argv.slice(2));
