/** The SSH key that opens VMs for which no other was given. */
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateOpenSshKeyPair, opensshPublicKey } from '@vm-on-golem/shared/openssh';
import { checkPrivate, createFile, readIfThere } from './files.ts';
import type { Paths } from './paths.ts';

export interface SshKey {
  /** Private key file, for `ssh -i`. */
  readonly file: string;
  /** OpenSSH line. */
  readonly publicKey: string;
}

export function ownSshKeyFile({ ssh }: Pick<Paths, 'ssh'>): string {
  return join(ssh, 'id_ed25519');
}

/** Makes it at first use. */
export async function ownSshKey(paths: Pick<Paths, 'ssh'>): Promise<SshKey> {
  const file = ownSshKeyFile(paths);
  const privateKey =
    (await readIfThere(file)) ??
    (await createFile(file, (await generateOpenSshKeyPair()).privateKey));
  await checkPrivate(file);
  const publicKey = opensshPublicKey(privateKey);
  if (publicKey !== undefined) return { file, publicKey };
  throw new GolemError('invalid_request', `The SSH key ${file} is damaged.`, {
    hint: 'Restore it from a backup, or remove it: VMs that it opens are then closed to you.',
  });
}
