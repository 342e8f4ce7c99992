/** Which VMs are on their way from one key to another, read without schemas. */
import { readIfThereSync } from './files.ts';
import type { Paths } from './paths.ts';

/**
 * Whether the VMs of a provider may still belong to the key before this one: then it is no news that
 * this one has none. Read when it is asked, as it rarely is.
 */
export function isMoving({ rotation }: Pick<Paths, 'rotation'>): (provider: string) => boolean {
  return (provider) => readIfThereSync(rotation)?.includes(`"${provider}"`) === true;
}
