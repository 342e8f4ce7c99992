/** Asks providers, all at once, which VMs of this requestor they have. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Providers } from '../offers/providers.ts';
import type { CallOptions } from '../ports.ts';
import type { Vms } from '../vms/vms.ts';
import { within } from '../wire/deadline.ts';

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
  /** Ids of providers to ask. */
  readonly providers: Iterable<string>;
}

/**
 * @returns an element for each provider, in the order in which they were named; whoever is later than
 * the deadline has the error `provider_timeout`
 * @throws the reason of `signal` when that aborts
 */
export async function rediscover(
  client: { readonly vms: Vms; readonly providers: Providers },
  { providers, ...options }: RediscoverOptions,
): Promise<Rediscovered[]> {
  return Promise.all([...new Set(providers)].map((provider) => ask(client, provider, options)));
}

/** Within one deadline; what is known of the provider when it comes is the answer. */
async function ask(
  client: { readonly vms: Vms; readonly providers: Providers },
  provider: string,
  options: CallOptions,
): Promise<Rediscovered> {
  let known: Rediscovered = { provider };
  try {
    return await within(options, async (signal) => {
      try {
        return { provider, vms: await client.vms.list(provider, { signal }) };
      } catch (error) {
        if (signal.aborted || !(error instanceof GolemError)) throw error;
        known = { provider, error };
        if (error.code !== 'provider_offline') return known;
        const { online, since } = await client.providers.presence(provider, { signal });
        return online ? known : { ...known, offlineSince: since };
      }
    });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof GolemError)) throw error;
    return { error, ...known };
  }
}
