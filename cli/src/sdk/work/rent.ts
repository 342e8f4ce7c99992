/** Rents a VM. What is asked is remembered before it is sent, so that nothing that was rented is ever lost. */
import type { Accepted } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { GolemClient } from '../client.ts';
import { labelsWithMark } from '../own/ordered.ts';
import { candidates, imageOf, noMatch, type CandidateFilter } from '../offers/candidates.ts';
import { place } from '../offers/place.ts';
import type { Candidate } from '../offers/providers.ts';
import type { CallOptions, PendingCreation, Rental, Rentals } from '../ports.ts';
import type { VmRequest } from '../vms/vms.ts';
import { notCarriedOut } from '../wire/outcome.ts';
import { forget, withVm } from './memory.ts';

/** What is wanted, of whomever. */
export interface Wish
  extends
    CandidateFilter,
    Pick<VmRequest, 'name' | 'sshKeys' | 'labels' | 'ttlSeconds' | 'userData'> {
  /** Private key file for SSH, to be kept with the rental. */
  readonly sshKey?: string | undefined;
}

export interface RentOptions extends CallOptions {
  readonly rentals: Rentals;
  /** Told whom we ask, before it is asked. */
  readonly onAsk?: ((candidate: Candidate) => void) | undefined;
  /** Told why a candidate did not take it, before the next one is asked. */
  readonly onRefusal?: ((candidate: Candidate, error: GolemError) => void) | undefined;
}

/**
 * Asks one candidate after the other until one accepts; the creation goes on, and is waited for by
 * `settle`. When it is not known what became of it, the rental stays, with `pending`.
 * @throws {GolemError} `vm_exists` for a name that is taken, `no_match`, or what a candidate ended with
 */
export async function rent(
  client: GolemClient,
  wish: Wish,
  { rentals, onAsk, onRefusal, ...options }: RentOptions,
): Promise<Rental> {
  const identity = await client.identity();
  let asked: (Rental & { readonly pending: PendingCreation }) | undefined;
  let isAnybodyThere = false;
  try {
    const { accepted } = await place({
      candidates: candidates(client.providers, wish, options),
      ask: async (candidate) => {
        isAnybodyThere = true;
        const { id, offer } = candidate;
        const labels = await labelsWithMark(identity, id, wish);
        const request = { ...requestFor(wish, candidate), labels };
        const pending = await client.vms.creation(request, offer, identity.id);
        asked = await claim(rentals, wish, { provider: id, pending });
        onAsk?.(candidate);
        return client.vms.create(id, pending, options);
      },
      onRefusal: async (candidate, error) => {
        if (asked) await forget(rentals, asked);
        asked = undefined;
        onRefusal?.(candidate, error);
      },
    });
    if (!asked) throw new TypeError('only what was asked for is accepted');
    return await keep(client, rentals, asked, accepted);
  } catch (error) {
    if (asked && error instanceof GolemError && notCarriedOut(error)) await forget(rentals, asked);
    if (!isAnybodyThere && error instanceof GolemError && error.code === 'no_match') {
      throw await noMatch(client.providers, wish, options);
    }
    throw error;
  }
}

async function claim(
  rentals: Rentals,
  { name, sshKey }: Wish,
  creation: { readonly provider: string; readonly pending: PendingCreation },
): Promise<Rental & { readonly pending: PendingCreation }> {
  const rental = { name, ...creation, ...(sshKey === undefined ? {} : { sshKey }) };
  if (await rentals.claim(name, rental)) return rental;
  throw new GolemError('vm_exists', `You have a VM '${name}' already.`, {
    hint: `Choose another name, or give it back: golem vm destroy ${name}`,
  });
}

async function keep(
  client: GolemClient,
  rentals: Rentals,
  asked: Rental & { readonly pending: PendingCreation },
  { vm, operation }: Accepted,
): Promise<Rental> {
  const pending = { ...asked.pending, operation };
  const known = withVm({ ...asked, pending }, vm, client.time());
  await rentals.update(asked.name, undefined, (now) =>
    now.pending?.idempotencyKey === pending.idempotencyKey ? known : now,
  );
  return known;
}

function requestFor(wish: Wish, { offer }: Candidate): VmRequest {
  const { name, resources, sshKeys, maxHourlyPrice, ttlSeconds, userData } = wish;
  return {
    ...{ name, resources, sshKeys, image: imageOf(offer, wish.image) },
    ...(maxHourlyPrice === undefined ? {} : { maxHourlyPrice }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(userData === undefined ? {} : { userData }),
  };
}
