/** What becomes of the key while a program runs, read without schemas. */
import { readIfThereSync } from './files.ts';
import type { Paths } from './paths.ts';

/**
 * Whether the VMs of a provider may still belong to the key before this one: then it is no news that
 * this one has none. Read when it is asked, as it rarely is.
 */
export function isMoving({ rotation }: Pick<Paths, 'rotation'>): (provider: string) => boolean {
  return (provider) => readIfThereSync(rotation)?.includes(`"${provider}"`) === true;
}

/**
 * Whether another program has put another key in the place of the one that is in use here: what
 * providers say to this one is no news then, and nothing is to be ordered by it.
 * @param used public key that is in use, base64url; undefined while none is
 */
export function isReplaced(
  { key }: Pick<Paths, 'key'>,
  used: () => string | undefined,
): () => boolean {
  return () => {
    const publicKey = used();
    return publicKey !== undefined && readIfThereSync(key)?.includes(`"${publicKey}"`) === false;
  };
}
