/** What is copied where: words of a command line into places, and places into a plan. Pure. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { basename, posix } from 'node:path';

export type Place =
  | { readonly kind: 'here'; readonly path: string }
  | { readonly kind: 'guest'; readonly vm: string; readonly path: string }
  /** `-`: standard input, or standard output. */
  | { readonly kind: 'stream' };

/**
 * `NAME:PATH` is in a VM, unless a slash comes before the colon: `./a:b` is a file of this machine. A path
 * in a VM begins at its user's home, as with scp; `NAME:` is that home itself.
 */
export function readPlace(text: string, isWindows = process.platform === 'win32'): Place {
  if (text === '-') return { kind: 'stream' };
  const colon = text.indexOf(':');
  const slash = text.search(isWindows ? /[/\\]/ : /\//);
  const isDrive = isWindows && /^[a-z]:/i.test(text);
  if (colon <= 0 || isDrive || (slash >= 0 && slash < colon)) {
    if (text === '') throw new GolemError('usage', 'A path is empty.');
    return { kind: 'here', path: text };
  }
  const path = text.slice(colon + 1);
  // SFTP knows no tilde: its paths begin at home as they are.
  const fromHome = path === '~' ? '.' : path.replace(/^~\/+/, '');
  return { kind: 'guest', vm: text.slice(0, colon), path: fromHome === '' ? '.' : fromHome };
}

export interface CopyPlan {
  readonly sources: readonly Place[];
  readonly target: Place;
}

/** @throws {GolemError} `usage` for what cannot be copied so */
export function planCopy(words: readonly string[], isRecursive: boolean): CopyPlan {
  const places = words.map((word) => readPlace(word));
  const target = places.at(-1);
  const sources = places.slice(0, -1);
  if (!target || sources.length === 0) {
    throw new GolemError('usage', 'Copy what, and where to?', {
      hint: 'golem vm cp FILE NAME:PATH, or golem vm cp NAME:PATH FILE',
    });
  }
  if (![...sources, target].some(({ kind }) => kind === 'guest')) {
    throw new GolemError('usage', 'Neither side is in a VM.', {
      hint: 'A path in a VM is written NAME:PATH.',
    });
  }
  const hasStream = [...sources, target].some(({ kind }) => kind === 'stream');
  if (hasStream && sources.length > 1) {
    throw new GolemError('usage', 'With - there is one source and one target.');
  }
  if (hasStream && isRecursive) {
    throw new GolemError('usage', 'A folder cannot go through -.', {
      hint: 'Pack it there: golem vm exec NAME -- tar c FOLDER | tar x',
    });
  }
  return { sources, target };
}

/** The name that a source has in a folder that it is copied into. */
export function nameOf(place: Place): string {
  if (place.kind === 'stream') return 'stdin';
  const name = place.kind === 'guest' ? posix.basename(place.path) : basename(place.path);
  // `..` and `.` and `/` have no name of their own: what is in them is copied.
  return name === '.' || name === '..' || name === '' ? '.' : name;
}

/** Names in folders come from whoever owns them: one that leads elsewhere is never followed. */
export function isSafeName(name: string, isWindows = process.platform === 'win32'): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    !name.includes('/') &&
    !name.includes('\0') &&
    !(isWindows && /[\\:]/.test(name))
  );
}
