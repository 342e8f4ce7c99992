/** Asks providers to give to a new key what the previous one has there. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity, type Identity } from '@vm-on-golem/shared/keys';
import type { GolemClient } from '../../sdk/client.ts';
import { markMoved, type Rotation } from '../../state/rotation.ts';
import type { LocalContext } from '../command.ts';

export interface Waiting {
  readonly provider: string;
  readonly why: string;
}

interface Successor extends Pick<LocalContext, 'paths' | 'signal'> {
  readonly openClient: (identity: () => Promise<Identity>) => Promise<GolemClient>;
}

/** All at once; who has agreed is remembered at once, so that a kill asks nobody for nothing. */
export async function succeed(
  { paths, signal, openClient }: Successor,
  rotation: Rotation,
  deadlineMillis: number,
): Promise<{ readonly moved: string[]; readonly waitingFor: Waiting[] }> {
  const [previous, next] = await Promise.all([
    openIdentity('requestor', rotation.previous),
    openIdentity('requestor', rotation.next),
  ]);
  const client = await openClient(async () => previous);
  const moved: string[] = [];
  const waitingFor: Waiting[] = [];
  await Promise.all(
    rotation.pending.map(async (provider) => {
      try {
        await client.succession(provider, next, { signal, deadlineMillis });
        await markMoved(paths, [provider]);
        moved.push(provider);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof GolemError)) throw error;
        waitingFor.push({ provider, why: error.message });
      }
    }),
  );
  return { moved, waitingFor };
}
