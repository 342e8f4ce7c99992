/** Where the SSH key is that opens VMs for which no other was given; apart, as nothing has to be loaded to say so. */
import { join } from 'node:path';
import type { Paths } from './paths.ts';

export function ownSshKeyFile({ ssh }: Pick<Paths, 'ssh'>): string {
  return join(ssh, 'id_ed25519');
}
