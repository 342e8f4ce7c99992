/** SSH sessions: the agent's leg over a real WebSocket, real SSH inside, refusals signed. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { paths, type Accepted } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { signRequest, type WireRequest } from '@vm-on-golem/shared/signing';
import { pump } from '@vm-on-golem/shared/stream/pump';
import { Budget } from '@vm-on-golem/shared/stream/window';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sinkOf, sourceOf } from '../src/relay/guest.ts';
import { frameSocket } from '../src/relay/leg.ts';
import { Relays, type RelaysOptions } from '../src/relay/relays.ts';
import { clock } from '../src/clock.ts';
import { Hub, type Wire } from './hub.ts';
import {
  DISCOVERY,
  Requestor,
  scratchFolder,
  silent,
  startProvider,
  type TestProvider,
} from './provider.ts';

const settings = { graceMillis: LIMITS.relay.graceSeconds * 1000, budget: new Budget() };
const SESSION = '5'.repeat(64);
const keys = await generateOpenSshKeyPair();

let cleanup: AsyncDisposableStack;
let provider: TestProvider;
let hub: Hub;
let alice: Requestor;
/** What the agent has dialled, newest last. */
let guests: Duplex[];
let relays: Relays;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  const { path: dir } = cleanup.use(await scratchFolder());
  provider = cleanup.use(await startProvider({ dir }));
  hub = cleanup.use(await Hub.start({ now: provider.clock.now }));
  alice = await Requestor.of(provider);
  guests = [];
  const { queries } = provider.vms;
  relays = startRelays(
    async (vmId, signal) => {
      const guest = await queries.dial(vmId, signal);
      guests.push(guest);
      return guest;
    },
    { locate: (requestor, vm) => queries.locate(requestor, vm) },
  );
  provider.cutBy(relays);
});
afterEach(() => cleanup.disposeAsync());

function startRelays(dial: RelaysOptions['dial'], options: Partial<RelaysOptions> = {}): Relays {
  const { identity, epochs } = provider.provider;
  const { now } = provider.clock;
  const upgrade = { discovery: hub.url, identity, epochs, now };
  return cleanup.use(
    new Relays({
      ...{ gate: provider.gate, dial, upgrade, clock, log: silent, ...settings },
      locate: (_requestor, vm) => vm,
      ...options,
    }),
  );
}

function upgradeOf(who: Requestor, vm: string): Promise<WireRequest> {
  const url = `${DISCOVERY}${paths.ssh(provider.id, vm)}`;
  const { now } = provider.clock;
  return signRequest({ method: 'GET', url, epoch: 1 }, who.identity, { now });
}

/** @returns the status, or the code of a refusal; either is checked to be the provider's own word. */
async function open(request: WireRequest): Promise<string> {
  const answer = await relays.open(SESSION, request);
  await verifyAnswer(answer, request, provider.id);
  if (answer.status === 200) return 'open';
  return errorBodySchema.parse(JSON.parse(answer.body)).error.code;
}

/** The requestor's end of an open session. */
function requestorEnd({ socket }: Wire): { stream: Duplex; over: Promise<void> } {
  const [stream, far] = duplexPair();
  const over = pump({
    ...{ socket: frameSocket(socket), source: sourceOf(far), sink: sinkOf(far), clock },
    signal: new AbortController().signal,
  });
  return { stream, over };
}

test('ssh reaches the guest and nobody else: its pinned key, its name, its exit code', async () => {
  const vm = await alice.running('web', { sshKeys: [keys.publicKey] });
  expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
  const wire = await hub.connection();
  expect(wire.path).toBe(paths.relay(SESSION));
  expect(wire.proof.keyId).toBe(provider.provider.identity.publicKey);
  expect(wire.proof.epoch).toBeGreaterThan(0);
  const { stream, over } = requestorEnd(wire);

  const shown: string[] = [];
  const client = new ssh2.Client();
  client.connect({
    ...{ sock: stream, username: vm.user, privateKey: keys.privateKey },
    hostVerifier: (key: Buffer) => {
      shown.push(`ssh-ed25519 ${key.toString('base64')}`);
      return true;
    },
  });
  await once(client, 'ready');
  expect(shown).toEqual([vm.hostKey]);
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
    client.exec('hostname', (error, opened) => (error ? reject(error) : resolve(opened)));
  });
  expect(await text(channel)).toBe('web\n');
  client.end();
  // As a requestor goes who did not come back: without ending its stream.
  wire.socket.close(CLOSE.peerGone.code, CLOSE.peerGone.reason);
  await expect(over).rejects.toMatchObject({ code: 'relay_failed' });
  await relays.idle();
  expect(guests.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test('a leg that is lost is dialled again, with the next epoch, and no byte is lost or doubled', async () => {
  const [near, far] = duplexPair();
  relays = startRelays(async () => near);
  expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
  let wire = await hub.connection();
  const epochs = [wire.proof.epoch ?? 0];
  const [stream, end] = duplexPair();
  const over = pump({
    ...{ socket: frameSocket(wire.socket), source: sourceOf(end), sink: sinkOf(end), clock },
    signal: new AbortController().signal,
    redial: {
      connect: async () => {
        wire = await hub.connection();
        epochs.push(wire.proof.epoch ?? 0);
        expect(wire.path).toBe(paths.relay(SESSION));
        return frameSocket(wire.socket);
      },
      graceMillis: 5_000,
      random: () => 0,
    },
  });
  const [there, back] = [randomBytes(3_000_000), randomBytes(2_000_000)];
  stream.end(there);
  far.end(back);
  let arrived = 0;
  const marks = [100_000, 700_000, 1_500_000];
  stream.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    if (arrived < (marks[0] ?? Infinity)) return;
    marks.shift();
    wire.socket.terminate();
  });
  const heard = buffer(stream);
  const said = buffer(far);
  expect(Buffer.compare(await heard, back)).toBe(0);
  expect(Buffer.compare(await said, there)).toBe(0);
  await over;
  await relays.idle();
  expect(marks).toEqual([]);
  expect(epochs.length).toBeGreaterThan(1);
  expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
}, 20_000);

describe('a leg that the relay misses', () => {
  function startAt(time: { now: number }, dial: () => Promise<Duplex>): Relays {
    return startRelays(dial, { clock: { ...clock, now: () => time.now } });
  }

  test('is dialled anew when the one that we have does not reach it', async () => {
    const time = { now: 0 };
    relays = startAt(time, async () => duplexPair()[0]);
    expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
    const first = await hub.connection();
    const lost = once(first.socket, 'close');
    first.socket.resume();
    await vi.waitFor(() => {
      time.now += 10_000;
      relays.resume(SESSION);
      expect(hub.upgrades).toBe(2);
    });
    await lost;
    const second = await hub.connection();
    expect(second.path).toBe(paths.relay(SESSION));
    expect(second.proof.epoch).toBeGreaterThan(first.proof.epoch ?? 0);
  });

  test('is left alone when it has only just come', async () => {
    relays = startAt({ now: 0 }, async () => duplexPair()[0]);
    expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
    const { socket } = await hub.connection();
    socket.resume();
    relays.resume(SESSION);
    socket.ping();
    await once(socket, 'pong');
    expect(hub.upgrades).toBe(1);
  });

  test('is refused with a reason when an earlier run of the agent had it', async () => {
    relays.resume(SESSION);
    const { socket, path } = await hub.connection();
    expect(path).toBe(paths.relay(SESSION));
    socket.resume();
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect(code).toBe(CLOSE.guestGone.code);
    expect(reason.toString()).toBe('the agent was restarted and has lost the session');
  });
});

test('bytes pass both ways unchanged, and each direction ends by itself', async () => {
  const [near, far] = duplexPair();
  relays = startRelays(async () => near);
  expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
  const { stream, over } = requestorEnd(await hub.connection());
  const sent = 'x'.repeat(3 * LIMITS.relay.windowBytes);
  stream.end(sent);
  // The guest has read everything, the end included, before it says a word.
  expect(await text(far)).toBe(sent);
  far.end('and back');
  expect(await text(stream)).toBe('and back');
  await over;
  await relays.idle();
  expect(relays.size).toBe(0);
});

describe('refused, and signed so', () => {
  test('another requestor’s VM, which is as if it were not there', async () => {
    const vm = await alice.running('web');
    const bob = await Requestor.of(provider);
    expect(await open(await upgradeOf(bob, vm.id))).toBe('vm_not_found');
    expect(await open(await upgradeOf(bob, 'web'))).toBe('vm_not_found');
    expect(await open(await upgradeOf(bob, 'nothing'))).toBe('vm_not_found');
    expect(hub.upgrades).toBe(0);
    expect(guests).toEqual([]);
  });

  test('an upgrade that was used already', async () => {
    await alice.running('web');
    const request = await upgradeOf(alice, 'web');
    expect(await open(request)).toBe('open');
    expect(await open(request)).toBe('replayed');
  });

  test('a VM that does not run', async () => {
    const vm = await alice.running('web');
    const { body } = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'stop'));
    await alice.follow((body as Accepted).operation);
    expect(await open(await upgradeOf(alice, 'web'))).toBe('wrong_state');
  });

  test('a signed request that was for something else', async () => {
    const vm = await alice.running('web');
    const url = `${DISCOVERY}${paths.vm(provider.id, vm.id)}`;
    const { now } = provider.clock;
    const request = await signRequest({ method: 'GET', url }, alice.identity, { now });
    expect(await open(request)).toBe('invalid_request');
  });

  test('more sessions than one may have, and than the agent has memory for', async () => {
    relays = startRelays(async () => duplexPair()[0]);
    const fill = async (who: Requestor) => {
      for (let count = 0; ; count += 1) {
        const outcome = await open(await upgradeOf(who, 'web'));
        if (outcome !== 'open') return { count, outcome };
      }
    };
    const [bob, carol] = [await Requestor.of(provider), await Requestor.of(provider)];
    expect(await fill(alice)).toEqual({ count: 205, outcome: 'provider_busy' });
    expect(await fill(bob)).toEqual({ count: 41, outcome: 'provider_busy' });
    expect(await fill(carol)).toEqual({ count: 8, outcome: 'provider_busy' });
    expect(relays.size).toBeLessThanOrEqual(LIMITS.relay.sessionsPerProvider);
  }, 30_000);
});

test('a session whose relay is not there lets go of the guest', async () => {
  await alice.running('web');
  hub.refuse = { status: 404, body: '{}' };
  expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
  await relays.idle();
  expect(guests.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test('an agent that stops ends its sessions with a word', async () => {
  await alice.running('web');
  expect(await open(await upgradeOf(alice, 'web'))).toBe('open');
  const wire = await hub.connection();
  const closed = wire.closed();
  wire.socket.resume();
  await relays[Symbol.asyncDispose]();
  expect(await closed).toMatchObject({ code: CLOSE.shutdown.code });
  expect(guests.map(({ destroyed }) => destroyed)).toEqual([true]);
  expect(await open(await upgradeOf(alice, 'web'))).toBe('provider_busy');
});
