/** The wait for sshd, against servers inside this process. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { DriverError } from '../driver.ts';
import { waitUntilReady, type ReadinessOptions } from './readiness.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-'));
});
afterEach(() => rm(dir, { recursive: true }));

const rsaKey = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 });

/** A connection to an sshd with these keys. */
async function sshd(...hostKeys: string[]): Promise<Duplex> {
  const path = join(dir, `${randomUUID()}.sock`);
  const server = new ssh2.Server({ hostKeys }, (client) => client.on('error', () => client.end()));
  server.on('error', () => server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const near = connect(path);
  await once(near, 'connect');
  // One connection is all that is served.
  server.close();
  return near;
}

const never = new Promise<void>(() => undefined);
const wait = (options: Partial<ReadinessOptions>) =>
  waitUntilReady({
    endpoint: { dial: () => sshd() },
    console: join(dir, 'console.log'),
    readyMarker: undefined,
    hostKey: 'ssh-ed25519 AAAA',
    ended: never,
    signal: AbortSignal.timeout(5_000),
    ...options,
  });

test('is over when sshd proves the key, whatever other keys it has', async () => {
  const { publicKey, privateKey } = await generateOpenSshKeyPair();
  const endpoint = { dial: () => sshd(rsaKey.private, privateKey) };
  await expect(wait({ endpoint, hostKey: publicKey })).resolves.toBeUndefined();
});

test('fails at once on another key', async () => {
  const [ours, theirs] = [await generateOpenSshKeyPair(), await generateOpenSshKeyPair()];
  const endpoint = { dial: () => sshd(theirs.privateKey) };
  await expect(wait({ endpoint, hostKey: ours.publicKey })).rejects.toMatchObject({
    code: 'failed',
    message: 'The guest does not have the host key it was given.',
  });
});

test('tries again, one connection at a time, until somebody answers', async () => {
  const { publicKey, privateKey } = await generateOpenSshKeyPair();
  let open = 0;
  let most = 0;
  let dials = 0;
  const dial = async () => {
    dials += 1;
    if (dials === 1) throw new DriverError('failed', 'nobody there');
    const stream = dials === 2 ? duplexPair()[0].destroy() : await sshd(privateKey);
    most = Math.max(most, (open += 1));
    stream.once('close', () => (open -= 1));
    return stream;
  };
  await wait({ endpoint: { dial }, hostKey: publicKey });
  expect(dials).toBe(3);
  expect(most).toBe(1);
});

test('does not disturb a guest that has not said it is ready', async () => {
  const { publicKey, privateKey } = await generateOpenSshKeyPair();
  let said = false;
  const dial = async () => {
    expect(said).toBe(true);
    return sshd(privateKey);
  };
  const ready = wait({ endpoint: { dial }, hostKey: publicKey, readyMarker: 'guest: ready' });
  await writeFile(join(dir, 'console.log'), 'booting\n');
  said = true;
  await writeFile(join(dir, 'console.log'), 'booting\nguest: ready\n');
  await ready;
});

test('ends with the guest, and with the patience of whoever waits', async () => {
  const endpoint = { dial: async () => duplexPair()[0] };
  await expect(wait({ endpoint, ended: Promise.resolve() })).rejects.toMatchObject({
    code: 'failed',
    message: 'The guest ended while it was starting.',
  });
  const abort = new AbortController();
  const waiting = wait({ endpoint, signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
});
