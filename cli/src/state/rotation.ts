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
import { withLock } from './lock.ts';
import type { Paths } from './paths.ts';

const ROTATION_VERSION = 1;

const rotationSchema = z.object({
  version: z.literal(ROTATION_VERSION),
  previous: privateJwkSchema,
  next: privateJwkSchema,
  /** Providers that may still have VMs of the previous key. */
  pending: z.array(providerIdSchema),
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
 * @throws {GolemError} `wrong_state` while another rotation goes on
 */
export function beginRotation(paths: RotationPaths, rotation: Rotation): Promise<void> {
  return withLock(`${paths.rotation}.lock`, () => {
    const text = `${JSON.stringify({ version: ROTATION_VERSION, ...rotation }, null, 2)}\n`;
    if (!createFileSync(paths.rotation, text)) {
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
  return withLock(`${paths.rotation}.lock`, () => {
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
  return withLock(`${paths.rotation}.lock`, () => {
    const rotation = readRotation(paths);
    if (!rotation || id === undefined) return [];
    const pending = rotation.pending.filter((provider) => !providers.includes(provider));
    if (pending.length === 0) {
      createFileSync(join(paths.retired, `${id}.json`), keyText(rotation.previous));
      rmSync(paths.rotation, { force: true });
    } else {
      const next = { version: ROTATION_VERSION, ...rotation, pending };
      replaceFileSync(paths.rotation, `${JSON.stringify(next, null, 2)}\n`);
    }
    return pending;
  });
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
