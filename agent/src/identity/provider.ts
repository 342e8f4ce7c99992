/** Who this provider is: its keys and the counters that order what it says. */
import { join } from 'node:path';
import {
  generatePrivateJwk,
  openIdentity,
  privateJwkSchema,
  type Identity,
} from '@vm-on-golem/shared/keys';
import { generateSealingJwk, sealingJwkSchema, type SealingJwk } from '@vm-on-golem/shared/sealing';
import { RisingCounter } from './counter.ts';
import { readOrCreateSecret } from './keyfile.ts';

export interface Provider {
  readonly identity: Identity;
  /** What requestors seal user data to. */
  readonly sealingKey: SealingJwk;
  /** Orders this provider's connections. */
  readonly epochs: RisingCounter;
  /** Orders this provider's offers. */
  readonly sequence: RisingCounter;
}

/** Makes keys on the first start; from then on the provider is who it was. */
export async function openProvider(dataDir: string, now: () => number): Promise<Provider> {
  const [identity, sealingKey] = await Promise.all([
    openProviderIdentity(dataDir),
    readOrCreateSecret(join(dataDir, 'sealing-key.json'), sealingJwkSchema, generateSealingJwk),
  ]);
  return {
    identity,
    sealingKey,
    epochs: new RisingCounter(join(dataDir, 'epoch'), now),
    sequence: new RisingCounter(join(dataDir, 'offer-sequence'), now),
  };
}

export async function openProviderIdentity(dataDir: string): Promise<Identity> {
  const jwk = await readOrCreateSecret(
    join(dataDir, 'identity-key.json'),
    privateJwkSchema,
    generatePrivateJwk,
  );
  return openIdentity('provider', jwk);
}
