/** The few programs of a memory guest. A program yields its output and returns its exit code. */
import { createHash } from 'node:crypto';

/** What a program sees of the guest that it runs in. */
export interface GuestSystem {
  readonly hostname: string;
  readonly user: string;
  /** @returns undefined when there is no such file. */
  readFile(path: string): Promise<Buffer | undefined>;
  writeFile(path: string, content: Buffer): Promise<void>;
  powerOff(): Promise<void>;
}

export type Input = AsyncIterable<Uint8Array>;
export type Output = AsyncGenerator<string | Uint8Array, number>;

/** Ends a program: said on standard error. */
export class ProgramError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

interface Call {
  readonly args: readonly string[];
  readonly stdin: Input;
  readonly guest: GuestSystem;
}

type Program = (call: Call) => Output;

const PROGRAMS: Readonly<Record<string, Program>> = {
  async *true() {
    return 0;
  },
  async *false() {
    return 1;
  },
  async *sync() {
    return 0;
  },
  async *hostname({ guest }) {
    yield `${guest.hostname}\n`;
    return 0;
  },
  async *whoami({ guest }) {
    yield `${guest.user}\n`;
    return 0;
  },
  async *echo({ args }) {
    yield `${args.join(' ')}\n`;
    return 0;
  },
  async *uname({ args, guest }) {
    yield args.includes('-a') ? `Memory ${guest.hostname} 1.0 none\n` : 'Memory\n';
    return 0;
  },
  async *exit({ args: [code = '0'] }) {
    if (!/^\d{1,3}$/.test(code)) throw new ProgramError(`exit: ${code}: not a number`, 2);
    return Number(code) % 256;
  },
  async *cat({ args, stdin, guest }) {
    if (args.length === 0) yield* stdin;
    for (const path of args) {
      const content = await guest.readFile(path);
      if (!content) throw new ProgramError(`cat: ${path}: No such file or directory`);
      yield content;
    }
    return 0;
  },
  async *sha256sum({ stdin }) {
    const hash = createHash('sha256');
    for await (const chunk of stdin) hash.update(chunk);
    yield `${hash.digest('hex')}  -\n`;
    return 0;
  },
  async *poweroff({ guest }) {
    await guest.powerOff();
    return 0;
  },
};

/** @throws {ProgramError} 127 */
export function findProgram(name: string): Program {
  const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
  if (!program) throw new ProgramError(`sh: ${name}: not found`, 127);
  return program;
}
