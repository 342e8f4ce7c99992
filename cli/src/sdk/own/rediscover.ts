/** Asks providers, all at once, which VMs of this requestor they have. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Providers } from '../offers/providers.ts';
import type { CallOptions } from '../ports.ts';
import type { Vms } from '../vms/vms.ts';

/** What one provider has; or why it is not known. */
export interface Rediscovered {
  /** `gp_...`. */
  readonly provider: string;
  readonly vms?: readonly Vm[];
  readonly error?: GolemError;
  /** Since when it is offline, as far as discovery says so. ISO 8601. */
  readonly offlineSince?: string;
}

export interface RediscoverOptions extends CallOptions {
  /** Ids of providers to ask, besides those that discovery remembers. */
  readonly providers: Iterable<string>;
}

/** What this needs of a client. */
export interface Rediscoverer {
  readonly vms: Vms;
  readonly providers: Providers;
  /** Where this key may have VMs; a hint. */
  myProviders(options: CallOptions): AsyncIterable<string>;
}

/** Until when is looked: whoever is late then is no error of the search. */
interface Search {
  readonly client: Rediscoverer;
  /** Of the caller. */
  readonly stopped: AbortSignal;
  /** Of the caller, or of the deadline. */
  readonly over: AbortSignal;
}

/**
 * @returns an element for each provider, those that were named first; whoever is later than the
 * deadline has the error `provider_timeout`
 * @throws the reason of `signal` when that aborts
 */
export async function rediscover(
  client: Rediscoverer,
  { providers, signal: stopped, deadlineMillis }: RediscoverOptions,
): Promise<Rediscovered[]> {
  const over =
    deadlineMillis === undefined
      ? stopped
      : AbortSignal.any([stopped, AbortSignal.timeout(deadlineMillis)]);
  const search = { client, stopped, over };
  const asked = new Map<string, Promise<Rediscovered>>();
  const askOnce = (id: string) => void (asked.has(id) || asked.set(id, ask(search, id)));
  for (const id of providers) askOnce(id);
  // Those that are named are not kept waiting for those that are remembered.
  for (const id of await hinted(search)) askOnce(id);
  return Promise.all(asked.values());
}

/** What discovery does not tell, or not in time, is not looked for. */
async function hinted({ client, stopped, over }: Search): Promise<string[]> {
  const ids: string[] = [];
  try {
    for await (const id of client.myProviders({ signal: over })) ids.push(id);
  } catch (error) {
    reasonOf(error, { stopped, over });
  }
  return ids;
}

/** What is known of the provider when the time is up is the answer. */
async function ask({ client, stopped, over }: Search, provider: string): Promise<Rediscovered> {
  try {
    return { provider, vms: await client.vms.list(provider, { signal: over }) };
  } catch (cause) {
    const error = reasonOf(cause, { stopped, over });
    if (error.code !== 'provider_offline') return { provider, error };
    try {
      const { online, since } = await client.providers.presence(provider, { signal: over });
      return { provider, error, ...(online ? {} : { offlineSince: since }) };
    } catch (late) {
      reasonOf(late, { stopped, over });
      return { provider, error };
    }
  }
}

/** @throws whatever is no answer of the network */
function reasonOf(cause: unknown, { stopped, over }: Pick<Search, 'stopped' | 'over'>): GolemError {
  stopped.throwIfAborted();
  if (over.aborted) return new GolemError('provider_timeout', undefined, { cause });
  if (cause instanceof GolemError) return cause;
  throw cause;
}
