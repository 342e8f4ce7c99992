/** Finds processes again that an earlier agent may have started: by a word of their command line. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError } from '../../../driver.ts';

/** What a program needs to end by itself; then it is killed. */
const TERM_MILLIS = 2_000;
const KILL_MILLIS = 5_000;

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** Processes of `uid` one of whose arguments contains `marker`. */
export async function processesNaming(marker: string, uid: number): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // One that has ended meanwhile is none of them.
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!commandLine.includes(marker) || pid === process.pid) return [];
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) return [];
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      return [{ pid, parent, words: commandLine.split('\0').slice(0, -1) }];
    }),
  );
  return found.flat();
}

/** Ends all of them, and resolves when they are gone. */
export async function endProcesses(find: () => Promise<readonly FoundProcess[]>): Promise<void> {
  const start = performance.now();
  for (let signal: NodeJS.Signals = 'SIGTERM'; ; await sleep(10)) {
    const left = await find();
    if (left.length === 0) return;
    const waited = performance.now() - start;
    if (waited > TERM_MILLIS) signal = 'SIGKILL';
    if (waited > KILL_MILLIS) {
      throw new DriverError('failed', `A helper of the guest's network cannot be ended.`);
    }
    for (const { pid } of left) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
}
