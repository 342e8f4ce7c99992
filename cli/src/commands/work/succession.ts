/** Asks providers to give to a new key what the previous one has there. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity, type Identity } from '@vm-on-golem/shared/keys';
import type { GolemClient } from '../../sdk/client.ts';
import { keyUsers, rentedBy } from '../../state/key-users.ts';
import {
  addPending,
  isDue,
  markAsked,
  markMoved,
  type PendingProvider,
  type Rotation,
} from '../../state/rotation.ts';
import type { LocalContext } from '../command.ts';
import { replaceSshKey } from './ssh-succession.ts';

export interface Waiting {
  readonly provider: string;
  readonly why: string;
  /** No VM is remembered there: only discovery says that there may be one. */
  readonly isHearsay: boolean;
}

interface Successor extends Pick<LocalContext, 'home' | 'paths' | 'signal' | 'now'> {
  readonly openClient: (
    identity: () => Promise<Identity>,
    discovery: string,
  ) => Promise<GolemClient>;
}

interface Asking {
  readonly deadlineMillis: number;
  /** Something else was asked for: who never answers is left out most of the time. */
  readonly isByTheWay?: boolean;
}

interface Succession {
  readonly moved: string[];
  readonly waitingFor: Waiting[];
}

/**
 * All at once; who has agreed is remembered at once, so that a kill asks nobody for nothing. Providers
 * are asked where the books of all contexts with this key, and the rotation, say that they are reached.
 */
export async function succeed(
  context: Successor,
  rotation: Rotation,
  { deadlineMillis, isByTheWay = false }: Asking,
): Promise<Succession> {
  const { home, paths, signal, now, openClient } = context;
  const [previous, next] = await Promise.all([
    openIdentity('requestor', rotation.previous),
    openIdentity('requestor', rotation.next),
  ]);
  await replaceSshKey(context, rotation);
  const rented = await rentedBy(keyUsers(home));
  // May get there after the provider has agreed, and would be the previous key's for good.
  const ordered = new Set(rented.filter((one) => one.isOrdered).map(({ provider }) => provider));
  const pending = await addPending(
    paths,
    rented.map(({ provider, discovery }) => ({ provider, discovery })),
  );
  // A kill may have come between the last agreement and the end of it all.
  if (pending.length === 0) await markMoved(paths, []);
  const due = pending.filter((one) => !isByTheWay || isDue(one, now()));
  const moved = new Set<string>();
  const failed: (PendingProvider & { readonly why: string })[] = [];
  const ask = async (client: GolemClient, one: PendingProvider) => {
    const { provider } = one;
    try {
      await client.succession(provider, next, { signal, deadlineMillis });
      if (ordered.has(provider)) {
        failed.push({
          ...one,
          why: 'Nobody knows yet whether a VM was ordered there. It is waited for: golem vm wait',
        });
        return;
      }
      await markMoved(paths, [provider]);
      moved.add(provider);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GolemError)) throw error;
      failed.push({ ...one, why: error.message });
    }
  };
  await Promise.all(
    [...Map.groupBy(due, ({ discovery }) => discovery)].map(async ([discovery, ones]) => {
      const client = await openClient(async () => previous, discovery);
      await Promise.all(ones.map((one) => ask(client, one)));
    }),
  );
  // One that is reached in two ways has to agree in one of them.
  const waiting = failed.filter(({ provider }) => !moved.has(provider));
  if (waiting.length > 0) await markAsked(paths, waiting, new Date(now()).toISOString());
  return { moved: [...moved], waitingFor: onceEach(waiting) };
}

function onceEach(failed: readonly (PendingProvider & { readonly why: string })[]): Waiting[] {
  return [...Map.groupBy(failed, ({ provider }) => provider)].map(([provider, ways]) => ({
    provider,
    why: ways[0]?.why ?? '',
    isHearsay: ways.every(({ isHearsay = false }) => isHearsay),
  }));
}
