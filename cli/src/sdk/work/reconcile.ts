/** Brings what is remembered in line with what providers say. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { GolemClient } from '../client.ts';
import type { CallOptions, Rental, Rentals } from '../ports.ts';
import { forget, remember } from './memory.ts';

export interface Reconciled {
  /** What is kept, in the order of the names. */
  readonly rentals: readonly {
    readonly rental: Rental;
    /** False where its provider did not say: this is what was last known. */
    readonly isReachable: boolean;
    /** Since when its provider is offline, as far as that is known. ISO 8601. */
    readonly offlineSince?: string | undefined;
    /** Why what the provider says was not believed: `host_key_changed`. */
    readonly refusal?: GolemError | undefined;
  }[];
  /** VMs that nothing is remembered of: rented elsewhere, or shared by somebody. */
  readonly unknown: readonly { readonly provider: string; readonly vm: Vm }[];
  /** Ids of providers that nothing is remembered of and that did not say: they may have more. */
  readonly silent: readonly string[];
}

export interface ReconcileOptions extends CallOptions {
  readonly rentals: Rentals;
  /** Ids of more providers to ask than those of the rentals. */
  readonly providers?: Iterable<string> | undefined;
}

/** @throws the reason of `signal` when that aborts: whoever is late is not waited for, and no error */
export async function reconcile(
  client: GolemClient,
  { rentals, providers = [], ...options }: ReconcileOptions,
): Promise<Reconciled> {
  // Read before anybody is asked: what is rented meanwhile is not missing in the answers.
  const before = await rentals.all();
  const asked = [...before.map(({ provider }) => provider), ...providers];
  const answers = await client.rediscover({ providers: asked, ...options });
  const byProvider = new Map(answers.map((answer) => [answer.provider, answer]));
  const kept: Reconciled['rentals'][number][] = [];
  for (const rental of before) {
    const { vms, offlineSince } = byProvider.get(rental.provider) ?? {};
    try {
      const now = vms ? await inLine(client, rentals, rental, vms) : rental;
      if (now) kept.push({ rental: now, isReachable: vms !== undefined, offlineSince });
    } catch (error) {
      // One VM that is not what it was keeps nobody from the others.
      if (!(error instanceof GolemError) || error.code !== 'host_key_changed') throw error;
      kept.push({ rental, isReachable: true, refusal: error });
    }
  }
  // Any provider may say the id of another one's VM.
  const place = (provider: string, vm: Vm | undefined) => `${provider}/${vm?.id}`;
  const rented = [...(await rentals.all()), ...kept.map(({ rental }) => rental)];
  const known = new Set(rented.map(({ provider, vm }) => place(provider, vm)));
  const remembered = new Set(before.map(({ provider }) => provider));
  return {
    rentals: kept,
    silent: answers.flatMap(({ provider, vms }) =>
      vms === undefined && !remembered.has(provider) ? [provider] : [],
    ),
    unknown: answers.flatMap(({ provider, vms = [] }) =>
      vms.filter((vm) => !known.has(place(provider, vm))).map((vm) => ({ provider, vm })),
    ),
  };
}

/** @returns undefined for a VM that its provider has signed not to have */
async function inLine(
  client: GolemClient,
  rentals: Rentals,
  rental: Rental,
  vms: readonly Vm[],
): Promise<Rental | undefined> {
  const vm = vms.find((one) => isOf(rental, one));
  // A creation is followed to its end by `settle`.
  if (vm && rental.pending) return { ...rental, vm };
  if (vm) return remember(rentals, rental, vm, client.time());
  // Of which no answer was seen: it may still arrive.
  if (rental.pending && rental.pending.operation === undefined) return rental;
  await forget(rentals, rental);
  return undefined;
}

/** Before its id is known, a VM is what goes by the name that was asked for. */
function isOf(rental: Rental, { id, name, sharedBy }: Vm): boolean {
  return rental.vm ? rental.vm.id === id : name === rental.name && sharedBy === undefined;
}
