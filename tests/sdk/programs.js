// Starts the programs under test, and waits for what they print.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';

const target = `${process.env.CARGO_TARGET_DIR ?? `${homedir()}/.cache/bevy_rooms-target`}/debug`;

/** The key that a relay takes on loopback when it is given none. */
export const DEVELOPMENT_KEY = 'rooms.dev:insecure-development-key';

/** Lines that somebody prints, to be waited for. */
export class Events {
  constructor() {
    this.lines = [];
    this.waiting = new Set();
  }

  push(line) {
    this.lines.push(line);
    this.waiting.forEach((look) => look());
  }

  /** Forgets the lines that came so far. */
  forget() {
    this.lines = [];
  }

  /** Resolves with the first line, past or to come, that `match` gives something for. */
  line(match) {
    const lines = this.lines;
    return new Promise((resolve) => {
      let seen = 0;
      const look = () => {
        while (seen < lines.length) {
          const found = match(lines[seen++]);
          if (found) {
            this.waiting.delete(look);
            return resolve(found);
          }
        }
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Resolves with the first JSON event that `match` is true for. */
  event(match) {
    return this.line((line) => {
      const event = JSON.parse(line);
      return match(event) && event;
    });
  }

  /** The JSON events of a kind that came so far. */
  events(kind) {
    return this.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === kind);
  }
}

/** A running program, and the lines that it printed. */
export class Program extends Events {
  constructor(path, args, input = 'ignore') {
    super();
    this.process = spawn(`${target}/${path}`, args, { stdio: [input, 'pipe', 'inherit'] });
    this.ended = once(this.process, 'close');
    createInterface({ input: this.process.stdout }).on('line', (line) => this.push(line));
    this.process.on('error', (error) => console.error(`${path} could not be started: ${error.message}`));
  }

  /** Types a line, where the input is a `pipe`. */
  say(line) {
    this.process.stdin.write(`${line}\n`);
  }

  /** Ends the program, and resolves with its exit code. */
  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    const [code] = await this.ended;
    return code;
  }
}

/** A relay on a free port, of this machine alone unless the flags say otherwise. */
export async function relay(...args) {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const program = new Program('rooms-relay', [...listen, ...args]);
  // Where there is a page, the line after the first names the address that it is opened at.
  const line = args.includes('--serve') ? /players open (http:\/\/[\d.]+:\d+)/ : /(http:\/\/[\d.]+:\d+)/;
  program.url = await program.line((printed) => printed.match(line)?.[1]);
  program.port = Number(new URL(program.url).port);
  return program;
}
