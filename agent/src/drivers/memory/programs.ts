/** The few programs of a memory guest. */
import { createHash } from 'node:crypto';

/** What a program sees of the guest that it runs in. */
export interface GuestSystem {
  readonly hostname: string;
  readonly user: string;
  readonly cpus: number;
  /** @returns undefined when there is no such file. */
  readFile(path: string): Promise<Buffer | undefined>;
  writeFile(path: string, content: Buffer): Promise<void>;
  powerOff(): Promise<void>;
}

export type Input = AsyncIterable<Uint8Array>;
/** Resolves when there is room for more; rejects when nobody reads any longer. */
export type Write = (chunk: string | Uint8Array) => Promise<void>;

interface Call {
  readonly args: readonly string[];
  readonly stdin: Input;
  readonly write: Write;
  readonly guest: GuestSystem;
}

/** @returns the exit code */
export type Program = (call: Call) => Promise<number>;

/** Ends a program: said on standard error. */
export class ProgramError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const prints =
  (text: (call: Call) => string): Program =>
  async (call) => {
    await call.write(`${text(call)}\n`);
    return 0;
  };

const PROGRAMS: Readonly<Record<string, Program>> = {
  true: async () => 0,
  false: async () => 1,
  sync: async () => 0,
  hostname: prints(({ guest }) => guest.hostname),
  nproc: prints(({ guest }) => String(guest.cpus)),
  whoami: prints(({ guest }) => guest.user),
  echo: prints(({ args }) => args.join(' ')),
  uname: prints(({ args, guest }) =>
    args.includes('-a') ? `Memory ${guest.hostname} 1.0 none` : 'Memory',
  ),
  exit: async ({ args: [code = '0'] }) => {
    if (!/^\d{1,3}$/.test(code)) throw new ProgramError(`exit: ${code}: not a number`, 2);
    return Number(code) % 256;
  },
  cat: async ({ args, stdin, write, guest }) => {
    if (args.length === 0) for await (const chunk of stdin) await write(chunk);
    for (const path of args) {
      const content = await guest.readFile(path);
      if (!content) throw new ProgramError(`cat: ${path}: No such file or directory`);
      await write(content);
    }
    return 0;
  },
  sha256sum: async ({ stdin, write }) => {
    const hash = createHash('sha256');
    for await (const chunk of stdin) hash.update(chunk);
    await write(`${hash.digest('hex')}  -\n`);
    return 0;
  },
  poweroff: async ({ guest }) => {
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
