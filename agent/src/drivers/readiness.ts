/** Waits until a guest answers SSH with the host key that it was given. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ssh2';
import { DriverError } from './driver.ts';

/** A booting guest is slow to show its banner; trying again sooner forks its sshd to death. */
const HANDSHAKE_MILLIS = 15_000;
const PAUSE_MILLIS = 500;

export interface HostKeyOptions {
  /** A byte stream to the guest's SSH port. A `DriverError` means that it is not there yet. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  /** OpenSSH line. */
  readonly hostKey: string;
  readonly signal: AbortSignal;
}

/**
 * Resolves once the guest has proved its host key.
 * @throws {DriverError} `failed` when it has another one. What an abort throws is the signal's.
 */
export async function awaitHostKey({ dial, hostKey, signal }: HostKeyOptions): Promise<void> {
  for (;;) {
    const proved = await provesHostKey({ dial, hostKey, signal });
    if (proved) return;
    if (proved === false)
      throw new DriverError('failed', 'The guest does not have the host key it was given.');
    await sleep(PAUSE_MILLIS, undefined, { signal });
  }
}

/** @returns false when there is another host key, undefined when nobody answers */
export async function provesHostKey(options: HostKeyOptions): Promise<boolean | undefined> {
  const seen = await hostKeyOf(options.dial, options.signal);
  return seen === undefined ? undefined : seen === keyBlob(options.hostKey);
}

/**
 * Does a key exchange, which proves that the guest holds the key that it shows, and goes away
 * without logging in. @returns undefined when the guest does not answer yet.
 */
async function hostKeyOf(
  dial: HostKeyOptions['dial'],
  signal: AbortSignal,
): Promise<string | undefined> {
  const once = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_MILLIS)]);
  let sock;
  try {
    sock = await dial(once);
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
