/** Reads from a NoCloud seed what cloud-init would act upon before the first login. */
import ssh2, { type ParsedKey } from 'ssh2';
import { parse } from 'yaml';
import * as z from 'zod';
import { DriverError, type GuestSeed } from '../driver.ts';

export interface SeededGuest {
  readonly hostname: string;
  /** OpenSSH's own format. */
  readonly hostPrivateKey: string;
  readonly authorizedKeys: readonly ParsedKey[];
}

const userDataSchema = z.object({
  ssh_authorized_keys: z.array(z.string()).default([]),
  ssh_keys: z.object({ ed25519_private: z.string() }),
});
const metaDataSchema = z.object({ 'local-hostname': z.string() });

/** @throws {DriverError} `failed` when a guest could not come up with this seed. */
export function readSeed(seed: GuestSeed): SeededGuest {
  try {
    if (!seed.userData.startsWith('#cloud-config')) throw new Error('no #cloud-config');
    const userData = userDataSchema.parse(parse(seed.userData, { version: '1.1' }));
    const metaData = metaDataSchema.parse(parse(seed.metaData, { version: '1.1' }));
    return {
      hostname: metaData['local-hostname'],
      hostPrivateKey: userData.ssh_keys.ed25519_private,
      authorizedKeys: userData.ssh_authorized_keys.flatMap(readableKey),
    };
  } catch (cause) {
    throw new DriverError('failed', 'The guest cannot make sense of its seed.', { cause });
  }
}

/** The OpenSSH line, without a comment, of the host key that the guest shows. */
export function hostKeyLine({ hostPrivateKey }: SeededGuest): string {
  const key = ssh2.utils.parseKey(hostPrivateKey);
  if (key instanceof Error) {
    throw new DriverError('failed', 'The guest cannot read its host key.', { cause: key });
  }
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}

/** As sshd does: a line that it cannot read opens nothing and is no error. */
function readableKey(line: string): ParsedKey[] {
  const key = ssh2.utils.parseKey(line);
  return key instanceof Error ? [] : [key];
}
