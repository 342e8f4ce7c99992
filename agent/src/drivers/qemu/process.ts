/** QEMU as a process of its own, which outlives us. */
import { execFile, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
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

export interface StartOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: GuestFolder;
  readonly signal: AbortSignal;
  /** A file that QEMU gets as descriptor 3. */
  readonly state?: string;
}

/** Starts QEMU detached from us and resolves when it answers on its control socket. */
export async function startQemu({
  program,
  args,
  folder,
  signal,
  state,
}: StartOptions): Promise<Qmp> {
  const log = await open(folder.log, 'w', 0o600);
  const input = state === undefined ? undefined : await open(state, 'r');
  let exit: string | undefined;
  try {
    const child = spawn(program, args, {
      cwd: folder.path,
      detached: true,
      stdio: ['ignore', log.fd, log.fd, ...(input ? [input.fd] : [])],
    });
    child.once('error', (error) => (exit = error.message));
    child.once('exit', (code, killer) => (exit = `it ended with ${String(killer ?? code)}`));
    child.unref();
  } finally {
    await log.close();
    await input?.close();
  }
  for (const deadline = Date.now() + START_MILLIS; ;) {
    try {
      return await Qmp.connect(folder.qmp);
    } catch (error) {
      if (!(error instanceof QmpUnreachable)) throw error;
    }
    if (signal.aborted) throw new DriverError('aborted', 'The start was stopped.');
    if (exit !== undefined || Date.now() > deadline) {
      const said = lastLine(await tail(folder.log, 2000));
      throw new DriverError('failed', `QEMU did not start: ${said || exit || 'it took too long'}.`);
    }
    await sleep(20);
  }
}

/**
 * The process id of this guest's QEMU, if it runs. A pid alone proves nothing, as it may have been
 * given to another program: the command line has to name this guest.
 */
export async function qemuPid(folder: GuestFolder): Promise<number | undefined> {
  const text = await readFile(folder.pid, 'utf8').catch(() => '');
  const pid = Number(text.trim());
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const commandLine = await commandLineOf(pid);
  return commandLine.includes(folder.vmId) ? pid : undefined;
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

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^\S*qemu-system-\S*: /, '') ?? ''
  );
}
