/** Waits for a guest of QEMU: for the marker on its console, then for its host key. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError, stopIfAborted } from '../driver.ts';
import { awaitHostKey } from '../readiness.ts';
import { tail } from './folder.ts';
import type { SshEndpoint } from './network/network.ts';

const MARKER_POLL_MILLIS = 25;
/** Long enough to hold the marker and what a kernel says after it. */
const MARKER_TAIL_BYTES = 16 * 1024;

export interface ReadinessOptions {
  readonly endpoint: SshEndpoint;
  readonly console: string;
  readonly readyMarker: string | undefined;
  /** OpenSSH line. */
  readonly hostKey: string;
  /** Resolves when the guest's QEMU has ended. */
  readonly ended: Promise<void>;
  readonly signal: AbortSignal;
}

/** @throws {DriverError} `aborted` | `failed` when the guest ended or has another host key */
export async function waitUntilReady(options: ReadinessOptions): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const ended = options.ended.then(() => {
    stop.abort();
    throw new DriverError('failed', 'The guest ended while it was starting.');
  });
  // Whoever loses the race below must not be an unhandled rejection.
  ended.catch(() => undefined);
  try {
    await Promise.race([becomesReady(options, signal), ended]);
  } catch (error) {
    stopIfAborted(options.signal);
    if (stop.signal.aborted) await ended;
    throw error;
  } finally {
    stop.abort();
  }
}

async function becomesReady(options: ReadinessOptions, signal: AbortSignal): Promise<void> {
  if (options.readyMarker !== undefined) {
    while (!(await tail(options.console, MARKER_TAIL_BYTES)).includes(options.readyMarker)) {
      await sleep(MARKER_POLL_MILLIS, undefined, { signal });
    }
  }
  const { endpoint, hostKey } = options;
  await awaitHostKey({ dial: (until) => endpoint.dial(until), hostKey, signal });
}
