/** `golem vm cp`: files and folders into a VM, out of it, or from one VM to another. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { guestFiles, localFiles, type Files } from '../../guest/copy/files.ts';
import { nameOf, planCopy, type Place } from '../../guest/copy/paths.ts';
import { progressLine } from '../../guest/copy/progress.ts';
import { streamFiles } from '../../guest/copy/streams.ts';
import { told } from '../../guest/copy/told.ts';
import { copy, type TransferOptions } from '../../guest/copy/transfer.ts';
import { isSet, type Command, type Context, type Input } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { enterGuest } from '../work/enter.ts';

interface Copied {
  readonly files: number;
  readonly bytes: number;
}

/** More often a terminal need not be drawn. */
const PROGRESS_MILLIS = 200;

export const cp: Command<Copied> = {
  name: 'cp',
  usage: 'SOURCE... TARGET',
  args: { min: 2, max: Number.POSITIVE_INFINITY },
  options: [
    { name: 'recursive', short: 'r', summary: 'folders, with all that is in them' },
    {
      name: 'preserve',
      short: 'p',
      summary: 'keep times and permissions, but never setuid from a VM',
    },
  ],
  examples: [
    'golem vm cp site.tar web:',
    'golem vm cp -r web:/var/log ./logs',
    'pg_dump shop | golem vm cp - web:shop.sql',
    'golem vm cp web:/etc/hostname -',
  ],

  async run(context, input) {
    const { sources, target } = planCopy(input.args, isSet(input, 'recursive'));
    await using sides = new AsyncDisposableStack();
    // Once there, Ctrl-C leaves the connection: what is half copied is removed over it.
    const gone = new AbortController();
    sides.defer(() => gone.abort());
    const lost = new AbortController();
    const signal = AbortSignal.any([context.signal, lost.signal]);
    const open = opener(context, sides, { gone: gone.signal, lost, signal });
    const to = await open(target);
    const there = await told(pathOf(target), to.stat(pathOf(target)));
    const isFolder = there?.kind === 'folder';
    if (sources.length > 1 && !isFolder) {
      throw new GolemError('usage', `${input.args.at(-1)} is no folder.`, {
        hint: 'Several files are copied into a folder that is there.',
      });
    }
    const options = optionsOf({ ...context, signal }, input);
    const totals = { files: 0, bytes: 0 };
    for (const source of sources) {
      const from = await open(source);
      const name = nameOf(source);
      const path =
        isFolder && name !== '.' && source.kind !== 'stream'
          ? to.join(pathOf(target), name)
          : pathOf(target);
      const { files, bytes } = await copy(
        { files: from, path: pathOf(source) },
        { files: to, path },
        options,
      );
      totals.files += files;
      totals.bytes += bytes;
    }
    return totals;
  },
  present: () => ({ lines: [] }),
};

/** One login for each VM, however many files of it are copied. */
function opener(
  context: Context,
  sides: AsyncDisposableStack,
  ends: {
    readonly gone: AbortSignal;
    readonly lost: AbortController;
    readonly signal: AbortSignal;
  },
) {
  const guests = new Map<string, Files>();
  return async (place: Place): Promise<Files> => {
    if (place.kind === 'here') return localFiles;
    if (place.kind === 'stream') {
      return streamFiles(context.streams.input, context.streams.output, ends.signal);
    }
    const entry = await findReady(context, place.vm);
    const known = guests.get(entry.name);
    if (known) return known;
    const guest = sides.use(await enterGuest(context, entry, ends.gone));
    void guest.closed.then((why) => ends.lost.abort(why ?? new GolemError('relay_failed')));
    const files = guestFiles(await guest.sftp(ends.signal), guest.closed, ends.signal);
    guests.set(entry.name, files);
    return files;
  };
}

function pathOf(place: Place): string {
  return place.kind === 'stream' ? '-' : place.path;
}

function optionsOf(
  { signal, note, progress, now, streams }: Context,
  input: Input,
): TransferOptions {
  const isWatched = (streams.error as { isTTY?: boolean }).isTTY === true;
  let shown = { path: '', started: 0, at: 0 };
  return {
    isRecursive: isSet(input, 'recursive'),
    isExact: isSet(input, 'preserve'),
    signal,
    onSkip: (path, why) => note(`Left out ${path}: ${why}.`),
    onBytes: (path, bytes, size) => {
      if (!isWatched) return;
      const at = now();
      if (path !== shown.path || bytes === 0) shown = { path, started: at, at: 0 };
      const isLast = size > 0 && bytes >= size;
      if (!isLast && at - shown.at < PROGRESS_MILLIS) return;
      shown.at = at;
      const line = progressLine({ path, bytes, size, millis: at - shown.started });
      progress(() => line, isLast);
    },
  };
}
