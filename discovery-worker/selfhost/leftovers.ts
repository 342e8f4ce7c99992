/**
 * What ended relay sessions leave on disk. An object that deletes all it has stored keeps an empty
 * database there: on a machine of one's own they would become as many as there ever were sessions.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const DATABASE = '.sqlite';
/** SQLite keeps a table on pages of its own: a database of one page has none. */
const PAGE_BYTES = 4096;
/** A session that is being opened has been written down long before. */
const YOUNG_MILLIS = 60_000;

/**
 * Removes databases that nobody has open and nothing is in. Ids of sessions are used once, so that
 * nobody comes back for one.
 * @param folder of the objects of one class
 * @param now milliseconds since 1970
 * @returns how many were removed
 */
export async function sweepLeftovers(folder: string, now: number): Promise<number> {
  const files = new Set(await filesIn(folder));
  let removed = 0;
  for (const file of files) {
    // Whoever has a database open keeps a log beside it.
    if (!file.endsWith(DATABASE) || files.has(`${file}-wal`)) continue;
    const path = join(folder, file);
    const { size, mtimeMs } = await stat(path);
    if (size > PAGE_BYTES || now - mtimeMs < YOUNG_MILLIS) continue;
    await rm(path);
    removed += 1;
  }
  return removed;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    // Before the first session.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
