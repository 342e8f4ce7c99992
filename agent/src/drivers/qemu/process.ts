/** QEMU as a process of its own, which outlives us. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import {
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DriverError } from '../driver.ts';
import { tail, type GuestFolder } from './folder.ts';
import { Qmp, QmpUnreachable } from './qmp.ts';

const run = promisify(execFile);

/** QEMU opens its control socket within 0.1 s; a machine that swaps takes longer. */
const START_MILLIS = 20_000;
/** A process that is killed is gone at once, unless its disk hangs. */
const KILL_MILLIS = 5_000;

/** The descriptor of the first file that QEMU is given. */
export const FIRST_FILE = 3;

export interface StartOptions {
  /** QEMU and its arguments, or a program that ends by executing them. */
  readonly command: readonly string[];
  readonly folder: GuestFolder;
  readonly signal: AbortSignal;
  /** Files that QEMU is given open: it may not be able to reach them. The first is `FIRST_FILE`. */
  readonly files?: readonly string[];
}

/**
 * Starts QEMU detached from us and resolves when it answers on its control socket. One that does
 * not get so far is ended.
 * @throws {DriverError} `failed` with QEMU's own words | `aborted`
 */
export async function startQemu(options: StartOptions): Promise<Qmp> {
  const { command, folder, signal, files = [] } = options;
  const { child, ended } = await spawnDetached(command, folder, files);
  let exit: string | undefined;
  void ended.then((why) => (exit = why));
  try {
    return await firstAnswer(folder, signal, () => exit);
  } catch (error) {
    child.ref();
    child.kill('SIGKILL');
    await ended;
    // It may have been started by what we started.
    await killQemu(folder);
    throw error;
  }
}

interface Started {
  readonly child: ChildProcess;
  /** Resolves with the reason when it has ended, or never ran. */
  readonly ended: Promise<string>;
}

async function spawnDetached(
  [program = '', ...args]: readonly string[],
  folder: GuestFolder,
  files: readonly string[],
): Promise<Started> {
  await using log = await open(folder.log, 'w', 0o600);
  await using inputs = new AsyncDisposableStack();
  const given: number[] = [];
  // Before there is a process: an agent that is killed here leaves word that there may be one.
  await writeFile(folder.pid, '', { mode: 0o600 });
  for (const file of files) given.push(inputs.use(await openFile(file)).fd);
  const child = spawn(program, args, {
    cwd: folder.run,
    detached: true,
    stdio: ['ignore', log.fd, log.fd, ...given],
  });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(error.message));
  child.once('exit', (code, killer) => resolve(`it ended with ${String(killer ?? code)}`));
  child.unref();
  // Of the first program; if that starts another one this number is of no use, and of no harm.
  if (child.pid !== undefined) await writeFile(folder.pid, `${child.pid}\n`, { mode: 0o600 });
  return { child, ended };
}

/** @throws {DriverError} `failed` */
function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((cause: unknown) => {
    throw new DriverError(
      'failed',
      `${basename(path)}, which the guest is made of, is not there.`,
      {
        cause,
      },
    );
  });
}

async function firstAnswer(
  folder: GuestFolder,
  signal: AbortSignal,
  exit: () => string | undefined,
): Promise<Qmp> {
  for (const deadline = Date.now() + START_MILLIS; ; await sleep(20)) {
    try {
      return await Qmp.connect(folder.qmp);
    } catch (error) {
      // One that ends while it starts hangs up before it has said anything.
      if (!(error instanceof QmpUnreachable || error instanceof DriverError)) throw error;
    }
    if (signal.aborted) throw new DriverError('aborted', 'The start was stopped.');
    if (exit() !== undefined || Date.now() > deadline) {
      const said = lastWords(await tail(folder.log, 2000)) || exit();
      throw new DriverError('failed', `QEMU did not start: ${said ?? 'it took too long'}.`);
    }
  }
}

/**
 * The process id of this guest's QEMU, if it runs. A pid file alone proves nothing: its number may have
 * been given to another program, or be that of a namespace. What proves it is a QEMU that has this
 * guest's name and runs in its folder.
 */
export async function qemuPid(folder: GuestFolder): Promise<number | undefined> {
  const text = await readFile(folder.pid, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const pid = Number(text.trim());
  if (Number.isInteger(pid) && pid > 1 && (await isQemu(pid, folder))) return pid;
  if (process.platform !== 'linux') return undefined;
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isQemu(Number(name), folder))) return Number(name);
  }
  await forgetPid(folder);
  return undefined;
}

/**
 * So that nobody has to look through all processes again. A pid file that is new may be that of a QEMU
 * which is still being started.
 */
async function forgetPid(folder: GuestFolder): Promise<void> {
  const info = await stat(folder.pid).catch(() => undefined);
  if (info && Date.now() - info.mtimeMs > START_MILLIS) await rm(folder.pid, { force: true });
}

async function isQemu(pid: number, folder: GuestFolder): Promise<boolean> {
  const [program = '', ...args] = (await commandLineOf(pid)).split(/[\0 ]/);
  if (!basename(program).startsWith('qemu-system-')) return false;
  if (args[args.indexOf('-name') + 1] !== folder.vmId) return false;
  if (process.platform !== 'linux') return true;
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return cwd === (await realpath(folder.run));
}

/**
 * Resolves when the process is gone. Its control socket closes a moment earlier, while it still
 * holds the locks of its disk and its pid file.
 * @returns whether it went in time
 */
export async function qemuGone(folder: GuestFolder, millis: number): Promise<boolean> {
  for (
    const deadline = Date.now() + millis;
    (await qemuPid(folder)) !== undefined;
    await sleep(10)
  ) {
    if (Date.now() > deadline) return false;
  }
  return true;
}

/** Pulls the plug, and resolves when the process is gone. */
export async function killQemu(folder: GuestFolder): Promise<void> {
  const pid = await qemuPid(folder);
  if (pid === undefined) return;
  process.kill(pid, 'SIGKILL');
  if (!(await qemuGone(folder, KILL_MILLIS)))
    throw new DriverError('failed', 'QEMU cannot be ended.');
}

async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    // Empty for a zombie, which is as good as gone.
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  }
  return run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '',
  );
}

/** What a program said last, without the paths of this machine, which are nobody's business. */
function lastWords(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line
    .replace(/^\S*qemu-system-\S*: /, '')
    .replaceAll(/(?:\/[^\s/'",:]+){2,}/g, (path) => basename(path));
}
