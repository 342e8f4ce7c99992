/** The SSH key that opens VMs for which no other was given. */
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { secureRandom } from '@vm-on-golem/shared/ids';
import { deriveSshSeed, openIdentity, type PrivateJwk } from '@vm-on-golem/shared/keys';
import {
  encodeOpenSshKeyPair,
  opensshPublicKey,
  type OpenSshKeyPair,
} from '@vm-on-golem/shared/openssh';
import { checkPrivate, createFile, readIfThere } from './files.ts';
import { loadKey, parseKey } from './identity.ts';
import type { Paths } from './paths.ts';
import { readRotation } from './rotation.ts';
import { keptSshKeyFile, ownSshKeyFile } from './ssh-key-file.ts';

export interface SshKey {
  /** Private key file, for `ssh -i`. */
  readonly file: string;
  /** OpenSSH line. */
  readonly publicKey: string;
}

/**
 * The file that is there; if there is none it is made from the requestor's key, so that whoever has
 * kept that key alone gets into their VMs again.
 */
export async function ownSshKey(paths: Pick<Paths, 'ssh' | 'key'>): Promise<SshKey> {
  const file = ownSshKeyFile(paths);
  const privateKey =
    (await readIfThere(file)) ??
    (await createFile(file, (await derivedSshKey(await loadKey(paths.key))).privateKey));
  await checkPrivate(file);
  const publicKey = opensshPublicKey(privateKey);
  if (publicKey !== undefined) return { file, publicKey };
  throw new GolemError('invalid_request', `The SSH key ${file} is damaged.`, {
    hint: `Restore it from a backup, or remove it: it is made anew from ${paths.key}.`,
  });
}

/**
 * That of a key that was replaced: what is kept of it, or what is made of the key where that alone was kept.
 * @param requestor `gr_...` of that key
 * @returns undefined where nothing was kept
 */
export async function formerSshKeyFile(
  paths: Pick<Paths, 'ssh' | 'retired' | 'rotation'>,
  requestor: string,
): Promise<string | undefined> {
  const file = keptSshKeyFile(paths, requestor);
  if ((await readIfThere(file)) !== undefined) return file;
  const retired = await readIfThere(join(paths.retired, `${requestor}.json`));
  const key = retired === undefined ? readRotation(paths)?.previous : parseKey(retired);
  if (!key || (await openIdentity('requestor', key)).id !== requestor) return undefined;
  await createFile(file, (await derivedSshKey(key)).privateKey);
  return file;
}

/** RFC 8410: what comes before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The one that belongs to a key. */
export async function derivedSshKey(jwk: PrivateJwk): Promise<OpenSshKeyPair> {
  const der = Buffer.concat([PKCS8_HEAD, await deriveSshSeed(jwk)]);
  const { x, d } = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'jwk',
  });
  if (x === undefined || d === undefined) throw new TypeError('an Ed25519 key has x and d');
  return encodeOpenSshKeyPair({ x, d }, secureRandom);
}
