/** Gives all that this key has at a provider to another key of the same person. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Identity } from '@vm-on-golem/shared/keys';
import { signSuccession, succeededSchema, type Succeeded } from '@vm-on-golem/shared/succession';
import type { CallOptions } from '../ports.ts';
import { newIdempotencyKey, type Transport } from '../wire/transport.ts';

/**
 * May be asked again as often as one likes, also after it was done.
 * @throws {GolemError} `incompatible` where the provider, or discovery, is too old for it
 */
export async function succeed(
  transport: Transport,
  provider: string,
  { from, next, now }: { readonly from: string; readonly next: Identity; readonly now: number },
  options: CallOptions,
): Promise<Succeeded> {
  const call = {
    method: 'POST',
    path: paths.succession(provider),
    body: JSON.stringify(await signSuccession(provider, from, next, now)),
    idempotencyKey: newIdempotencyKey(),
  } as const;
  try {
    return await transport.untilKnown(options, (signal) =>
      transport.call(provider, succeededSchema, { ...call, signal }),
    );
  } catch (cause) {
    if (!(cause instanceof GolemError) || cause.code !== 'not_found') throw cause;
    throw new GolemError(
      'incompatible',
      'The provider cannot give VMs to another key: its version is too old.',
      { hint: 'Keep the old key until its operator has updated golem-provider.', cause },
    );
  }
}
