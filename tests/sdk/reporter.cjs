// A mocha reporter that writes one line of JSON per case, to the file that CONFORMANCE_RESULTS names.
const { appendFileSync } = require('node:fs');
const { cases } = require('./echo.cjs');

module.exports = class {
  constructor(runner) {
    const write = (line) => appendFileSync(process.env.CONFORMANCE_RESULTS, `${JSON.stringify(line)}\n`);
    const report = (result) => (test, error) => {
      const title = test.fullTitle();
      write({ title, result, standIn: cases.standIn.has(title), ms: test.duration ?? 0, why: error?.message });
    };
    runner.on('test', (test) => (cases.current = test.fullTitle()));
    runner.on('pass', report('passed'));
    runner.on('fail', (test, error) => {
      if (test.type === 'hook') return write({ title: test.fullTitle(), result: 'hook', why: error?.message });
      return report('failed')(test, error);
    });
    runner.on('pending', report('skipped'));
  }
};
