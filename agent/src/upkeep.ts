/** What the agent does from time to time, whether or not anybody asks for anything. */
import type { Logger } from 'pino';
import type { GuestNetworks } from './guest-network.ts';
import type { HostWatch } from './host/watch.ts';
import type { ImageKeeper } from './images/keeper.ts';
import { AGENT_LIMITS } from './limits.ts';
import type { TrafficKeeper } from './traffic/keeper.ts';
import type { Vms } from './vms/vms.ts';

export interface UpkeepOptions {
  readonly vms: Vms;
  readonly host: HostWatch;
  /** Undefined where the hypervisor keeps images itself. */
  readonly images: ImageKeeper | undefined;
  /** Undefined where the driver is not the configured one. */
  readonly guests: GuestNetworks | undefined;
  readonly traffic: TrafficKeeper | undefined;
  readonly log: Logger;
}

/** @returns ends it, and waits for what is under way */
export function startUpkeep(options: UpkeepOptions): AsyncDisposable {
  const { vms, host, images, guests, traffic, log } = options;
  const { reconcileMillis, pruneMillis } = AGENT_LIMITS.vms;
  const { refreshMillis, trafficMillis } = AGENT_LIMITS.network;
  const work = new AsyncDisposableStack();
  work.defer(every(reconcileMillis, () => vms.reconcile(), log));
  work.defer(every(pruneMillis, async () => vms.prune(), log));
  if (images) work.defer(every(pruneMillis, () => tidy(images), log));
  work.defer(every(AGENT_LIMITS.host.lookMillis, () => host.look(), log));
  if (guests) work.defer(every(refreshMillis, () => guests.refresh(), log));
  if (traffic) work.defer(every(trafficMillis, () => traffic.look(), log));
  return work;
}

async function tidy(images: ImageKeeper): Promise<void> {
  await images.tidy();
  await images.trim(0);
}

/**
 * Does `work` from time to time, never twice at once.
 * @returns ends it, and waits for the end of what is under way
 */
function every(millis: number, work: () => Promise<void>, log: Logger): () => Promise<void> {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch((error: unknown) => log.error({ err: error }, 'regular work failed'))
      .finally(() => {
        running = undefined;
      });
  }, millis);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
