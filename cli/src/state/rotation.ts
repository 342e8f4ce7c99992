/**
 * VMs on their way from one key to the next. Both keys are in one file before anything else happens,
 * and stay there until every provider has agreed: whenever a program is killed, none is lost.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { providerIdSchema } from '@vm-on-golem/shared/ids';
import { openIdentity, privateJwkSchema, type PrivateJwk } from '@vm-on-golem/shared/keys';
import * as z from 'zod';
import { createFileSync, readIfThereSync, replaceFileSync } from './files.ts';
import { keyText, parseKey } from './identity.ts';
import { STATE_LIMITS } from './limits.ts';
import { withLock } from './lock.ts';
import type { Paths } from './paths.ts';

const ROTATION_VERSION = 1;

const pendingSchema = z.object({
  provider: providerIdSchema,
  /** URL of the service that reaches it. */
  discovery: z.url(),
  /** No VM is remembered here: only the service says that there may be one. */
  isHearsay: z.boolean().optional(),
  /** How often it was asked in vain. */
  failures: z.number().int().nonnegative().optional(),
  /** When that was the last time. */
  askedAt: z.iso.datetime().optional(),
});
export type PendingProvider = z.infer<typeof pendingSchema>;

const rotationSchema = z.object({
  version: z.literal(ROTATION_VERSION),
  previous: privateJwkSchema,
  next: privateJwkSchema,
  /** Providers that may still have VMs of the previous key, by every service that reaches them. */
  pending: z.array(pendingSchema),
  /** Providers that have agreed, or were given up. */
  settled: z.array(providerIdSchema),
  startedAt: z.iso.datetime(),
});
export type Rotation = Omit<z.infer<typeof rotationSchema>, 'version'>;

type RotationPaths = Pick<Paths, 'key' | 'rotation' | 'retired'>;

/** @throws {GolemError} `internal` when it is damaged: it is never overwritten then */
export function readRotation({ rotation }: Pick<Paths, 'rotation'>): Rotation | undefined {
  const text = readIfThereSync(rotation);
  if (text === undefined) return undefined;
  const parsed = rotationSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new GolemError('internal', `${rotation} is damaged. It holds two keys.`, {
    hint: 'Restore it, or the keys, from a backup before you remove it.',
  });
}

/**
 * Writes both keys down, and takes the next one from now on.
 * @throws {GolemError} `wrong_state` while another rotation goes on, or when the key is not the one
 * that the rotation begins with any more
 */
export function beginRotation(paths: RotationPaths, rotation: Rotation): Promise<void> {
  return withKeyLock(paths, () => {
    checkKey(paths, rotation.previous);
    if (!createFileSync(paths.rotation, rotationText(rotation))) {
      throw new GolemError('wrong_state', 'A rotation of the key goes on already.', {
        hint: 'Finish it: golem key rotate',
      });
    }
    replaceFileSync(paths.key, keyText(rotation.next));
  });
}

/**
 * Takes the next key where a program was killed before it did.
 * @returns the rotation that goes on
 * @throws {GolemError} `wrong_state` when the key is neither of the two
 */
export async function resumeRotation(paths: RotationPaths): Promise<Rotation | undefined> {
  if (readIfThereSync(paths.rotation) === undefined) return undefined;
  return withKeyLock(paths, () => {
    const rotation = readRotation(paths);
    if (!rotation) return undefined;
    const here = parseKey(readIfThereSync(paths.key) ?? keyText(rotation.previous))?.x;
    if (here === rotation.next.x) return rotation;
    if (here !== rotation.previous.x) {
      throw new GolemError(
        'wrong_state',
        `${paths.rotation} is about other keys than ${paths.key}.`,
        {
          hint: 'Move one of the two away; both are worth keeping.',
        },
      );
    }
    replaceFileSync(paths.key, keyText(rotation.next));
    return rotation;
  });
}

/**
 * Remembers that these providers have agreed. After the last one the previous key is put among the
 * retired ones: it owns nothing any more, as far as anybody knows.
 * @returns who has not agreed yet
 */
export async function markMoved(
  paths: RotationPaths,
  providers: readonly string[],
): Promise<string[]> {
  const id = await previousId(paths);
  return withKeyLock(paths, () => {
    const rotation = readRotation(paths);
    if (!rotation || id === undefined) return [];
    const pending = rotation.pending.filter(({ provider }) => !providers.includes(provider));
    if (pending.length === 0) {
      retireKeySync(paths, id, rotation.previous);
      rmSync(paths.rotation, { force: true });
    } else {
      const settled = [...new Set([...rotation.settled, ...providers])];
      replaceFileSync(paths.rotation, rotationText({ ...rotation, pending, settled }));
    }
    return waitingFor({ ...rotation, pending });
  });
}

/**
 * Adds providers of which a VM turned up after the rotation had begun.
 * @returns all that are still to be asked
 */
export function addPending(
  paths: RotationPaths,
  found: readonly PendingProvider[],
): Promise<PendingProvider[]> {
  return withKeyLock(paths, () => {
    const rotation = readRotation(paths);
    if (!rotation) return [];
    const pending = [...rotation.pending];
    for (const one of found) {
      const { provider, discovery } = one;
      if (rotation.settled.includes(provider)) continue;
      const there = pending.findIndex(
        (other) => other.provider === provider && other.discovery === discovery,
      );
      if (there === -1) pending.push(one);
      else if (pending[there]?.isHearsay) pending[there] = one;
    }
    const next = rotationText({ ...rotation, pending });
    if (next !== rotationText(rotation)) replaceFileSync(paths.rotation, next);
    return pending;
  });
}

/** Remembers that these were asked in vain. @param askedAt ISO 8601 */
export function markAsked(
  paths: RotationPaths,
  asked: readonly PendingProvider[],
  askedAt: string,
): Promise<void> {
  return withKeyLock(paths, () => {
    const rotation = readRotation(paths);
    if (!rotation) return;
    const pending = rotation.pending.map((one) => {
      const { provider, discovery, failures = 0 } = one;
      const isAsked = asked.some((a) => a.provider === provider && a.discovery === discovery);
      return isAsked ? { ...one, failures: failures + 1, askedAt } : one;
    });
    replaceFileSync(paths.rotation, rotationText({ ...rotation, pending }));
  });
}

/**
 * Whether it is to be asked by the way. Who never answers must not slow down every command.
 * @param now ms
 */
export function isDue({ isHearsay, failures = 0, askedAt }: PendingProvider, now: number): boolean {
  if (askedAt === undefined || failures < (isHearsay ? 1 : STATE_LIMITS.rotationTries)) return true;
  const since = now - Date.parse(askedAt);
  // A clock that was set back keeps nobody waiting.
  return since < 0 || since >= STATE_LIMITS.rotationPauseMillis;
}

/**
 * Puts a key in the place of another one, which is kept.
 * @param here what is there
 * @returns where that is now
 * @throws {GolemError} `wrong_state` during a rotation, or when something else is there by now
 */
export function replaceKey(
  paths: RotationPaths,
  here: { readonly id: string; readonly key: PrivateJwk },
  next: PrivateJwk,
): Promise<string> {
  return withKeyLock(paths, () => {
    if (readIfThereSync(paths.rotation) !== undefined) {
      throw new GolemError('wrong_state', 'A rotation of the key goes on here.', {
        hint: 'Finish it first: golem key rotate',
      });
    }
    checkKey(paths, here.key);
    const aside = retireKeySync(paths, here.id, here.key);
    replaceFileSync(paths.key, keyText(next));
    return aside;
  });
}

/** @param id `gr_...` @returns the file that it is in */
export function retireKeySync(
  { retired }: Pick<Paths, 'retired'>,
  id: string,
  key: PrivateJwk,
): string {
  const file = join(retired, `${id}.json`);
  createFileSync(file, keyText(key));
  return file;
}

/** @throws {GolemError} `invalid_request` for what is no rotation */
export function checkRotation(text: string): Rotation {
  const parsed = rotationSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new GolemError('invalid_request', 'The rotation in the backup is damaged.', {
    cause: parsed.error,
  });
}

/** Ids of providers that have not agreed yet. */
export function waitingFor({ pending }: Rotation): string[] {
  return [...new Set(pending.map(({ provider }) => provider))];
}

/** Files of keys that owned VMs once. */
export function retiredKeys({ retired }: Pick<Paths, 'retired'>): string[] {
  try {
    return readdirSync(retired)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(retired, name));
  } catch (error) {
    // No key was ever replaced here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whatever is done to the key itself is done under this lock. */
function withKeyLock<Result>({ rotation }: RotationPaths, task: () => Result): Promise<Result> {
  return withLock(`${rotation}.lock`, task);
}

function checkKey({ key }: RotationPaths, expected: PrivateJwk): void {
  const text = readIfThereSync(key);
  if (text !== undefined && parseKey(text)?.x === expected.x) return;
  throw new GolemError('wrong_state', `Another program has replaced the key ${key} just now.`, {
    hint: 'Nothing was changed. See which one it is: golem key show',
  });
}

function rotationText(rotation: Rotation): string {
  return `${JSON.stringify({ ...rotation, version: ROTATION_VERSION }, null, 2)}\n`;
}

async function previousId(paths: RotationPaths): Promise<string | undefined> {
  const previous: PrivateJwk | undefined = readRotation(paths)?.previous;
  return previous && (await openIdentity('requestor', previous)).id;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what is wrong with it.
    return undefined;
  }
}
