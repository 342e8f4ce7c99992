/** Ending guests: shutting down, putting to sleep, removing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError, stopIfAborted } from '../driver.ts';
import { MultipassFailure, type Instances } from './instances.ts';
import { MULTIPASS_LIMITS } from './limits.ts';

const { shutdownMillis, startSeconds, overdueMillis, preparingMillis, pollMillis } =
  MULTIPASS_LIMITS;

export interface StopOptions {
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Whether this Multipass can pull a plug. */
  readonly force: boolean;
}

/** Asks a running guest to shut down, and pulls its plug when it has not. */
export async function shutDown(
  instances: Instances,
  name: string,
  { graceMs, signal, force }: StopOptions,
): Promise<void> {
  const millis = force ? graceMs : Math.max(graceMs, shutdownMillis);
  if (millis > 0) {
    try {
      await instances.change(name, ['stop', name], { millis, signal });
      if (await instances.becomes(name, 'stopped', signal)) return;
    } catch (error) {
      if (!(error instanceof MultipassFailure)) throw error;
      if (!force || error.code === 'aborted' || error.code === 'unavailable') throw error;
    }
  }
  stopIfAborted(signal);
  if (!force) throw new DriverError('timeout', 'The guest does not shut down.');
  await pullPlug(instances, name, signal);
}

/** Stops a suspended guest: its memory is thrown away. */
export async function discard(
  instances: Instances,
  name: string,
  options: StopOptions,
): Promise<void> {
  const { force, signal } = options;
  if (force) return pullPlug(instances, name, signal);
  // Before 1.14 there is no way but to let it go on first.
  const seconds = String(startSeconds);
  const millis = startSeconds * 1000 + overdueMillis;
  await instances.change(name, ['start', name, '--timeout', seconds], { millis, signal });
  await shutDown(instances, name, options);
}

async function pullPlug(instances: Instances, name: string, signal: AbortSignal): Promise<void> {
  await instances.change(name, ['stop', '--force', name], { signal });
  if (await instances.becomes(name, 'stopped', signal)) return;
  throw new DriverError('failed', 'Multipass has not stopped the guest.');
}

/** @throws {DriverError} `not_running` | `failed` */
export async function putToSleep(
  instances: Instances,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await instances.change(name, ['suspend', name], { signal });
  if (await instances.becomes(name, 'suspended', signal)) return;
  throw new DriverError('failed', 'Multipass has not suspended the guest.');
}

/**
 * Removes an instance, and believes it when Multipass says that there is none.
 * @param launched whether its launch has come to an end: one that has not goes on without us, and
 * nobody sees the instance before its image is there
 */
export async function remove(instances: Instances, name: string, launched: boolean): Promise<void> {
  for (const deadline = Date.now() + preparingMillis; ; await sleep(pollMillis)) {
    if (await purged(instances, name)) return;
    if (launched) break;
    // Twice, with a pause: a launch that was just sent off is not even being prepared yet.
    if (await hasStayedAway(instances, name)) return;
    if (Date.now() > deadline) {
      throw new DriverError('unavailable', 'Multipass is still preparing the guest.');
    }
  }
}

/** @returns false when there was nothing to remove */
async function purged(instances: Instances, name: string): Promise<boolean> {
  try {
    await instances.change(name, ['delete', '--purge', name]);
  } catch (error) {
    if (error instanceof MultipassFailure && error.complaint === 'absent') return false;
    throw error;
  }
  if (await instances.becomes(name, 'absent')) return true;
  throw new DriverError('failed', 'Multipass has not removed the guest.');
}

async function hasStayedAway(instances: Instances, name: string): Promise<boolean> {
  if (await instances.isBeingPrepared(name)) return false;
  await sleep(pollMillis);
  if (await instances.isBeingPrepared(name)) return false;
  return (await instances.look(name)).state === 'absent';
}
