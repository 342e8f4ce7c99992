/** The configuration file of this machine's user: a line of ours in it, and not a byte else is touched. */
import { realpath } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { createFileSync, exchangeFileSync, readIfThere } from '../state/files.ts';

/**
 * One character for each byte: what is there may be in an encoding that nobody knows. Whatever is looked
 * for in it is made with {@link asBytes}.
 */
const BYTES = 'latin1';

/** Editors save when somebody says so: hardly ever twice in a row between a look and a write. */
const TRIES = 5;

export function asBytes(text: string): string {
  return Buffer.from(text).toString(BYTES);
}

/** @returns undefined when there is no such file */
export async function readUserFile(file: string): Promise<string | undefined> {
  return readIfThere(file, BYTES);
}

/**
 * Writes what `change` makes of it, unless that is what is there.
 * @param file which may be a link to somewhere else, and stays one
 * @param copy gets it as it was before the first of all changes
 * @throws {GolemError} `wrong_state` when it never stays as it is for long enough
 */
export async function changeUserFile(
  file: string,
  copy: string,
  change: (text: string) => string,
): Promise<void> {
  const place = await behindLinks(file);
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = await readUserFile(place);
    const after = change(before ?? '');
    if (after === (before ?? '')) return;
    if (before !== undefined) createFileSync(copy, before, BYTES);
    if (exchangeFileSync(place, before, after, BYTES)) return;
  }
  throw new GolemError('wrong_state', `Somebody else keeps changing ${file}.`, {
    hint: 'Try again when that is done.',
  });
}

async function behindLinks(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file;
    throw error;
  }
}
