/** The keys that this requestor had before the one in use: what they ordered is still theirs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { loadIdentity } from '../../state/identity.ts';
import { readRotation, retiredKeys } from '../../state/rotation.ts';
import type { LocalContext } from '../command.ts';

/** @throws {GolemError} `internal` when the file of a rotation that goes on is damaged */
export async function formerIdentities({
  paths,
  note,
}: Pick<LocalContext, 'paths' | 'note'>): Promise<Identity[]> {
  const previous = readRotation(paths)?.previous;
  const identities = previous ? [await openIdentity('requestor', previous)] : [];
  for (const file of retiredKeys(paths)) {
    try {
      identities.push(await loadIdentity(file));
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      // What the other keys ordered is found without it.
      note(`golem: ${file} cannot be read: what that key ordered is not recognised.`);
    }
  }
  return identities;
}
