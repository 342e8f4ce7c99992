/** Copies between two sides: files whole or not at all, folders with what is in them. */
import { randomBytes } from 'node:crypto';
import { GolemError } from '@vm-on-golem/shared/errors';
import { GUEST_LIMITS } from '../limits.ts';
import type { Entry, Files, OpenFile } from './files.ts';
import { isSafeName } from './paths.ts';
import { told } from './told.ts';

export interface TransferOptions {
  readonly isRecursive: boolean;
  /**
   * Times and permissions as they are, setuid and its like from this machine alone; otherwise permissions
   * pass the umask of the other side.
   */
  readonly isExact: boolean;
  readonly signal: AbortSignal;
  /** Called often. */
  readonly onBytes: (path: string, bytes: number, size: number) => void;
  /** What is left out, and why. */
  readonly onSkip: (path: string, why: string) => void;
}

/** What was copied. */
export interface Totals {
  files: number;
  bytes: number;
}

interface Side {
  readonly files: Files;
  readonly path: string;
}

/**
 * `to` is the path that the copy gets, not a folder that it is put into.
 * @throws {GolemError} with the path that it failed at; what is complete already stays
 */
export async function copy(from: Side, to: Side, options: TransferOptions): Promise<Totals> {
  const totals = { files: 0, bytes: 0 };
  await copyEntry(from, to, options, totals, 0);
  return totals;
}

async function copyEntry(
  from: Side,
  to: Side,
  options: TransferOptions,
  totals: Totals,
  depth: number,
): Promise<void> {
  options.signal.throwIfAborted();
  // A link that somebody names is followed; one that is met on the way is copied as what it is.
  const entry = await told(from.path, from.files.stat(from.path, depth > 0));
  if (!entry) throw new GolemError('not_found', `There is no ${from.path}.`);
  if (entry.kind === 'folder') return copyFolder(from, to, entry, options, totals, depth);
  if (entry.kind === 'link') {
    // Obeyed, it would plant a link that somebody named, to wherever the other side likes.
    if (depth === 0) {
      throw new GolemError('forbidden', `${from.path} is said to be a link, even when followed.`, {
        hint: 'No honest file system says so: trust nothing in that VM.',
      });
    }
    return copyLink(from, to);
  }
  if (entry.kind === 'other' && depth > 0) {
    return options.onSkip(from.path, 'it is neither a file nor a folder');
  }
  await copyFile(from, to, entry, options, totals, depth);
}

async function copyFolder(
  from: Side,
  to: Side,
  entry: Entry,
  options: TransferOptions,
  totals: Totals,
  depth: number,
): Promise<void> {
  if (!options.isRecursive) {
    throw new GolemError('usage', `${from.path} is a folder.`, { hint: 'Say -r to copy folders.' });
  }
  if (depth >= GUEST_LIMITS.copyDepth) {
    throw new GolemError('invalid_request', `${from.path} is too deep.`);
  }
  // Writable for as long as something is put into it.
  const mode = entry.mode & (from.files.isOurs ? 0o7777 : 0o1777);
  await told(to.path, to.files.makeFolder(to.path, mode | 0o700));
  if (depth > 0 && (await told(to.path, to.files.stat(to.path, true)))?.kind !== 'folder') {
    // Links come from whoever is copied from, too: nothing is written through one, to wherever it leads.
    throw new GolemError('file_exists', `${to.path} is a link.`, { hint: 'Remove it first.' });
  }
  for (const name of await told(from.path, from.files.list(from.path))) {
    if (!isSafeName(name)) {
      options.onSkip(`${from.path}/${name}`, 'its name leads elsewhere');
      continue;
    }
    const below = (side: Side): Side => ({ ...side, path: side.files.join(side.path, name) });
    await copyEntry(below(from), below(to), options, totals, depth + 1);
  }
  if (options.isExact) await told(to.path, to.files.setFolder(to.path, mode, entry.mtime));
}

async function copyLink(from: Side, to: Side): Promise<void> {
  const target = await told(from.path, from.files.readLink(from.path));
  const there = await told(to.path, to.files.stat(to.path, true));
  if (there?.kind === 'folder') throw new GolemError('file_exists', `${to.path} is a folder.`);
  if (there) await told(to.path, to.files.remove(to.path));
  await told(to.path, to.files.makeLink(target, to.path));
}

/** Written beside its place under a name that says so, then put there: nobody ever sees half of it. */
async function copyFile(
  from: Side,
  to: Side,
  entry: Entry,
  options: TransferOptions,
  totals: Totals,
  depth: number,
): Promise<void> {
  const there = await told(to.path, to.files.stat(to.path, depth > 0));
  if (there?.kind === 'folder') throw new GolemError('file_exists', `${to.path} is a folder.`);
  // Nobody runs as us, or as a group of ours, what somebody else wrote: owners are not kept either.
  const mode = entry.mode & (options.isExact && from.files.isOurs ? 0o7777 : 0o777);
  await using source = await told(from.path, from.files.openToRead(from.path));
  if (there?.kind === 'other') {
    // A device or a pipe has no other place.
    await using sink = await told(to.path, to.files.openToWrite(to.path, mode, false));
    await pour(source, sink, from.path, entry, options, totals);
    return;
  }
  // A link that somebody names stays one: what it leads to is what is written. Others are replaced.
  const place = there && depth === 0 ? await told(to.path, to.files.resolve(to.path)) : to.path;
  // Until it is in its place, nobody may read it who may not read what it replaces.
  const partialMode = mode & 0o777 & (there?.kind === 'file' ? there.mode : 0o777);
  const partial = `${place}.${randomBytes(4).toString('hex')}.part`;
  try {
    {
      await using sink = await told(to.path, to.files.openToWrite(partial, partialMode, true));
      await pour(source, sink, from.path, entry, options, totals);
      if (options.isExact) {
        await told(to.path, sink.setMode(mode));
        await told(to.path, sink.setTime(entry.mtime));
      } else if (there?.kind === 'file') {
        // What is replaced keeps who may read and run it, as with cp, but not as whom.
        await told(to.path, sink.setMode(there.mode & 0o777));
      }
    }
    await told(to.path, to.files.rename(partial, place));
  } catch (error) {
    // If the way there is lost, its name says what it is.
    await to.files.remove(partial).catch(() => undefined);
    throw error;
  }
}

async function pour(
  source: OpenFile,
  sink: OpenFile,
  path: string,
  { size }: Entry,
  { signal, onBytes }: TransferOptions,
  totals: Totals,
): Promise<void> {
  let done = 0;
  onBytes(path, 0, size);
  const carry = async () => {
    for await (const bytes of source.read()) {
      signal.throwIfAborted();
      await sink.write(bytes);
      done += bytes.length;
      onBytes(path, done, size);
    }
    await sink.flush();
  };
  await told(path, carry());
  totals.files += 1;
  totals.bytes += done;
}
