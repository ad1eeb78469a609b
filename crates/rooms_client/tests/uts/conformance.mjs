#!/usr/bin/env node
// Writes the client's table in docs/conformance.md: the cases of the universal test specifications, and the tests here
// that stand for them.
//
//   crates/rooms_client/tests/uts/conformance.mjs SPECIFICATION
//
// SPECIFICATION is a checkout of the specification's repository, since nothing is fetched here. A test says which case
// it stands for in a line `/// Case: ITEM/name-0` above it. A case that does not apply has a line `- ITEM/name-0: why`
// in a not_applicable.md of its folder; a whole file that is out of scope is listed below. Exits with 1 when a case is
// missing, or when a test names one that does not exist. It does not run the tests: `cargo test -p rooms_client --test uts` does.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const document = resolve(here, '../../../../docs/conformance.md');
const markers = ['<!-- client: made by tests/uts/conformance.mjs -->', '<!-- client: end -->'];

const FOLDERS = ['connection', 'channels', 'presence', 'auth', 'client'];

/** Files of the specification that are about what a game does not need. */
const FILES_OUT = {
  channel_annotations: 'annotations',
  channel_delta_decoding: 'deltas',
  channel_get_message: 'message updates and deletes',
  channel_message_versions: 'message updates and deletes',
  channel_update_delete_message: 'message updates and deletes',
  realtime_stats: 'statistics',
};

const PREFIX = 'realtime/unit/';

/** The cases of the specification: folder, file and id. */
function casesOf(specification) {
  return FOLDERS.flatMap((folder) => {
    const place = join(specification, 'uts', 'realtime', 'unit', folder);
    return readdirSync(place).filter((name) => name.endsWith('.md')).sort().flatMap((name) => {
      const text = readFileSync(join(place, name), 'utf8');
      const ids = [...text.matchAll(/^\*\*Test ID\*\*:\s*`([^`]+)`/gm)].map((match) => match[1]);
      return ids.map((id) => ({ folder, file: name.replace('.md', ''), id: id.replace(PREFIX, '') }));
    });
  });
}

/** What stands for each case here: test names by case, and reasons by case. */
function testsHere() {
  const tests = new Map();
  const reasons = new Map();
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(here, folder)).sort()) {
      const text = readFileSync(join(here, folder, name), 'utf8');
      if (name === 'not_applicable.md') {
        for (const [, id, reason] of text.matchAll(/^- (\S+): (.+)$/gm)) reasons.set(id, reason);
      } else if (name.endsWith('.rs')) {
        for (const [, lines, test] of text.matchAll(/((?:^\/\/\/.*\n)+)#\[test\]\nfn (\w+)/gm)) {
          for (const [, id] of lines.matchAll(/^\/\/\/ Case: (\S+)$/gm)) {
            const module = `${folder}::${name.replace('.rs', '')}`;
            tests.set(id, [...(tests.get(id) ?? []), `${module}::${test}`]);
          }
        }
      }
    }
  }
  return { tests, reasons };
}

const specification = process.argv[2];
if (!specification || !existsSync(join(specification, 'uts'))) {
  console.error('usage: tests/uts/conformance.mjs SPECIFICATION, a checkout of the specification with its folder uts');
  process.exit(2);
}
const cases = casesOf(specification);
const { tests, reasons } = testsHere();

const known = new Set(cases.map(({ id }) => id));
const wrong = [...tests.keys(), ...reasons.keys()].filter((id) => !known.has(id));
const rows = [];
const outside = [];
const missing = [];
const files = new Map();
for (const { folder, file, id } of cases) {
  const name = `${folder}/${file}`;
  const count = files.get(name) ?? { total: 0, tested: 0, outside: 0, missing: 0 };
  files.set(name, count);
  count.total += 1;
  if (tests.has(id)) {
    count.tested += 1;
    rows.push(`| ${id} | ${tests.get(id).map((test) => `\`${test}\``).join('<br>')} |`);
  } else if (reasons.has(id) || FILES_OUT[file]) {
    count.outside += 1;
    outside.push(`| ${id} | ${reasons.get(id) ?? FILES_OUT[file]} |`);
  } else {
    count.missing += 1;
    missing.push(`${folder}/${file}: ${id}`);
  }
}
const totals = { total: 0, tested: 0, outside: 0, missing: 0 };
const lines = [...files].map(([name, count]) => {
  Object.keys(totals).forEach((key) => { totals[key] += count[key]; });
  return `| ${name} | ${count.total} | ${count.tested} | ${count.outside} | ${count.missing} |`;
});
const table = [
  '| file | cases | tested | out of scope | missing |', '| --- | ---: | ---: | ---: | ---: |', ...lines,
  `| **all** | **${totals.total}** | **${totals.tested}** | **${totals.outside}** | **${totals.missing}** |`,
  '', '### Out of scope', '', '| case | why |', '| --- | --- |', ...outside,
  '', '### Tests', '', '`cargo test -p rooms_client --test uts` runs all of them.', '', '| case | test |', '| --- | --- |', ...rows,
].join('\n');

const before = existsSync(document) ? readFileSync(document, 'utf8') : '# Conformance\n';
const section = `${markers[0]}\n\n${table}\n\n${markers[1]}`;
const [start, end] = markers.map((marker) => before.indexOf(marker));
const after = start >= 0 && end > start
  ? before.slice(0, start) + section + before.slice(end + markers[1].length)
  : `${before.trimEnd()}\n\n## Client\n\n${section}\n`;
writeFileSync(document, after);
console.log(`${totals.tested} of ${totals.total - totals.outside} cases in scope are tested, ${totals.missing} are missing`);
missing.forEach((line) => console.error(`missing: ${line}`));
wrong.forEach((id) => console.error(`no such case: ${id}`));
process.exit(missing.length || wrong.length ? 1 : 0);
