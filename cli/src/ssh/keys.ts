/** The SSH key that opens VMs for which no other was given. */
import { join } from 'node:path';
import { checkPrivate, createFile, readIfThere } from '../state/files.ts';
import type { Paths } from '../state/paths.ts';

export interface SshKey {
  /** Private key file, for `ssh -i`. */
  readonly file: string;
  /** OpenSSH line. */
  readonly publicKey: string;
}

/** Makes it at first use. */
export async function ownSshKey({ ssh }: Pick<Paths, 'ssh'>): Promise<SshKey> {
  const { default: ssh2 } = await import('ssh2');
  const file = join(ssh, 'id_ed25519');
  const privateKey =
    (await readIfThere(file)) ??
    (await createFile(file, ssh2.utils.generateKeyPairSync('ed25519').private));
  await checkPrivate(file);
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return { file, publicKey: `ssh-ed25519 ${parsed.getPublicSSH().toString('base64')}` };
}
