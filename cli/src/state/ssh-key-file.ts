/** Where SSH keys are that nobody chose; apart, as nothing has to be loaded to say so. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from './paths.ts';

const OWN = 'id_ed25519';
const KEPT = `${OWN}-`;

/** The one that opens VMs for which no other was given. */
export function ownSshKeyFile({ ssh }: Pick<Paths, 'ssh'>): string {
  return join(ssh, OWN);
}

/** That of a key that was replaced. @param requestor `gr_...` */
export function keptSshKeyFile({ ssh }: Pick<Paths, 'ssh'>, requestor: string): string {
  return join(ssh, `${KEPT}${requestor}`);
}

/** Whose SSH keys are kept: `gr_...`. */
export function keptSshKeyOwners({ ssh }: Pick<Paths, 'ssh'>): string[] {
  try {
    return readdirSync(ssh)
      .filter((name) => /^gr_[a-z0-9]+$/.test(name.slice(KEPT.length)) && name.startsWith(KEPT))
      .map((name) => name.slice(KEPT.length));
  } catch (error) {
    // Nothing was ever rented from here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
