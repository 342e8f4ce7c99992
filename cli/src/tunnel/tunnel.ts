/** The way to the SSH port of a VM, as one stream of bytes in this process. */
import { duplexPair, type Duplex } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { GolemClient } from '../sdk/client.ts';
import { carry, openRelay } from './relay.ts';
import type { RelaySettings } from './settings.ts';

export interface TunnelOptions {
  readonly client: Pick<GolemClient, 'sshUpgrade' | 'resumeUpgrade' | 'patiently'>;
  readonly provider: string;
  readonly vmId: string;
  readonly settings: RelaySettings;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the relay is open. A session that fails later destroys the stream with its
 * `relay_failed`; destroying the stream ends the session.
 * @throws {GolemError} what was answered instead of opening, or `relay_failed`
 */
export async function openTunnel(options: TunnelOptions): Promise<Duplex> {
  const { client, provider, vmId, settings, signal } = options;
  const opened = await client.patiently({ signal }, async () =>
    openRelay(await client.sshUpgrade(provider, vmId), signal),
  );
  const [near, far] = duplexPair();
  const stop = new AbortController();
  near.once('close', () => {
    const isOver = near.readableEnded && near.writableFinished;
    if (!isOver) stop.abort(new GolemError('relay_failed', 'The connection was let go.'));
  });
  // Whoever has the other end hears of it there.
  far.on('error', () => undefined);
  carry(opened, {
    again: (session) => client.resumeUpgrade(session),
    input: far.iterator({ destroyOnReturn: false }),
    output: far,
    signal: AbortSignal.any([signal, stop.signal]),
    settings,
  }).then(
    () => near.end(),
    (error: unknown) => {
      near.destroy(error instanceof Error ? error : new Error(String(error)));
      far.destroy();
    },
  );
  return near;
}
