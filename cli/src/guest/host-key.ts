/** A guest is who its provider said: one with another key is refused, whatever it has to offer. */
import { createHash } from 'node:crypto';
import { GolemError } from '@vm-on-golem/shared/errors';

/** Types of host keys in the order in which guests are asked for them. */
const TYPES: readonly string[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

export interface PinnedHost {
  readonly name: string;
  /** OpenSSH line: type and key. */
  readonly hostKey: string;
}

/** The pinned one first: a guest may have several. Others too, so that a change is seen as one. */
export function hostKeyTypes({ hostKey }: PinnedHost): string[] {
  const [pinned = ''] = hostKey.split(' ');
  const first = pinned === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [pinned];
  return [...first, ...TYPES.filter((type) => !first.includes(type))].filter((type) =>
    TYPES.includes(type),
  );
}

/**
 * @param seen the key's wire form (RFC 4253, section 6.6)
 * @returns undefined when it is the pinned one, `host_key_changed` when not
 */
export function checkHostKey(host: PinnedHost, seen: Buffer): GolemError | undefined {
  const expected = Buffer.from(host.hostKey.split(' ')[1] ?? '', 'base64');
  if (expected.equals(seen)) return undefined;
  return hostKeyChanged(host.name, fingerprint(expected), fingerprint(seen));
}

function hostKeyChanged(name: string, expected: string, seen: string): GolemError {
  return new GolemError(
    'host_key_changed',
    `THE HOST KEY OF '${name}' IS NOT THE ONE THAT ITS PROVIDER SIGNED. Expected ${expected}, seen ${seen}. ` +
      'Somebody may be in between, or the VM has made itself a new key. Nothing was sent to it.',
    {
      hint:
        `If you changed it yourself inside the VM, put the old one back there; ` +
        `otherwise destroy the VM with 'golem vm destroy ${name}' and do not trust what is in it.`,
    },
  );
}

/** As `ssh-keygen -l` prints it. */
function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
