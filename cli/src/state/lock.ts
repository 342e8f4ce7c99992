/**
 * One program at a time, by a lock that the operating system takes back from a program that was
 * killed: that of SQLite on a file of its own. A file that says who holds it would stay behind, and
 * whoever removes it as stale may remove that of the next one.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type * as sqliteModule from 'node:sqlite';
import { GolemError } from '@vm-on-golem/shared/errors';
import { STATE_LIMITS } from './limits.ts';

type Sqlite = Pick<typeof sqliteModule, 'DatabaseSync'>;

/** SQLITE_BUSY, of sqlite3.h. */
const BUSY = 5;

/** @returns undefined while another program, or another call of this one, has it */
function tryLock(file: string, { DatabaseSync }: Sqlite): Disposable | undefined {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode === BUSY) return undefined;
    throw error;
  }
  // Closing rolls the empty transaction back.
  return { [Symbol.dispose]: () => lock.close() };
}

/**
 * Runs `task`, which must not wait for anything, while nobody else runs one under this lock.
 * @throws {GolemError} `internal` when others hold it for far too long
 */
export async function withLock<Result>(file: string, task: () => Result): Promise<Result> {
  // Who only reads is not kept waiting for it.
  const sqlite = await import('node:sqlite');
  for (let waited = 0; ; waited += STATE_LIMITS.lockPollMillis) {
    using lock = tryLock(file, sqlite);
    if (lock) return task();
    if (waited >= STATE_LIMITS.lockWaitMillis) {
      throw new GolemError('internal', `Another program has been holding ${file} for long.`, {
        hint: `See which one: fuser ${file}`,
      });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, STATE_LIMITS.lockPollMillis);
    });
  }
}
