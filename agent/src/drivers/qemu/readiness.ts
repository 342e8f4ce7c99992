/** Waits until a guest answers SSH with the host key that it was given. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ssh2';
import { DriverError } from '../driver.ts';
import { tail } from './folder.ts';
import type { SshEndpoint } from './network.ts';

/** A booting guest is slow to show its banner; trying again sooner forks its sshd to death. */
const HANDSHAKE_MILLIS = 15_000;
const PAUSE_MILLIS = 500;
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
    if (options.signal.aborted)
      throw new DriverError('aborted', 'The wait for the guest was stopped.');
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
  for (;;) {
    const seen = await hostKeyOf(options.endpoint, signal);
    if (seen === keyBlob(options.hostKey)) return;
    if (seen !== undefined)
      throw new DriverError('failed', 'The guest does not have the host key it was given.');
    await sleep(PAUSE_MILLIS, undefined, { signal });
  }
}

/**
 * Does a key exchange, which proves that the guest holds the key that it shows, and goes away
 * without logging in. @returns undefined when the guest does not answer yet.
 */
async function hostKeyOf(endpoint: SshEndpoint, signal: AbortSignal): Promise<string | undefined> {
  const once = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_MILLIS)]);
  let sock;
  try {
    sock = await endpoint.dial(once);
  } catch (error) {
    if (error instanceof DriverError && !signal.aborted) return undefined;
    throw error;
  }
  const client = new Client();
  try {
    return await new Promise<string | undefined>((resolve) => {
      let seen: string | undefined;
      // ssh2 reports the handshake only after the server proved its key.
      client.once('handshake', () => resolve(seen));
      client.once('error', () => resolve(undefined));
      client.once('close', () => resolve(undefined));
      once.addEventListener('abort', () => resolve(undefined), { once: true });
      if (once.aborted) resolve(undefined);
      client.connect({
        sock,
        // The kind of key that guests are given: a guest may have others as well.
        algorithms: { serverHostKey: ['ssh-ed25519'] },
        username: 'golem-readiness',
        readyTimeout: HANDSHAKE_MILLIS,
        hostVerifier: (key: Buffer) => {
          seen = key.toString('base64');
          return true;
        },
      });
    });
  } finally {
    client.on('error', () => undefined);
    client.destroy();
    sock.destroy();
  }
}

/** The base64 part of an OpenSSH key line. */
function keyBlob(line: string): string {
  return line.split(' ')[1] ?? '';
}
