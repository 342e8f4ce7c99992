/** Who is in a VM is out as soon as they may not be in it any more, and nobody else is. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { paths } from '@vm-on-golem/shared/api';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { signRequest } from '@vm-on-golem/shared/signing';
import { pump } from '@vm-on-golem/shared/stream/pump';
import { Budget } from '@vm-on-golem/shared/stream/window';
import type { Vm } from '@vm-on-golem/shared/vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clock } from '../src/clock.ts';
import { sinkOf, sourceOf } from '../src/relay/guest.ts';
import { frameSocket } from '../src/relay/leg.ts';
import { Relays } from '../src/relay/relays.ts';
import { Hub, type Wire } from './hub.ts';
import {
  DISCOVERY,
  Requestor,
  scratchFolder,
  silent,
  startProvider,
  type TestProvider,
} from './provider.ts';

const { publicKey: sshKey } = await generateOpenSshKeyPair();
const GONE = { code: CLOSE.guestGone.code, reason: 'the VM is being removed' };
const REVOKED = CLOSE.revoked;

let cleanup: AsyncDisposableStack;
let provider: TestProvider;
let hub: Hub;
let relays: Relays;
let alice: Requestor;
let bob: Requestor;
let vm: Vm;
let denied: Set<string>;
/** What stands between a session and its guest. */
let dialling: () => Promise<void>;
/** The agent's end of what was dialled, and the guest's, newest last. */
let dialled: { readonly near: Duplex; readonly far: Duplex; readonly signal: AbortSignal }[];

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  denied = new Set();
  dialled = [];
  dialling = async () => {};
  const { path: dir } = cleanup.use(await scratchFolder());
  const bound = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };
  provider = cleanup.use(
    await startProvider({
      dir,
      policy: () => ({
        ...{ access: 'public', allow: new Set(), deny: denied },
        ...{ perRequestor: bound, strangers: bound },
      }),
    }),
  );
  const { now } = provider.clock;
  const { identity, epochs } = provider.provider;
  hub = cleanup.use(await Hub.start({ now }));
  relays = cleanup.use(
    new Relays({
      ...{ gate: provider.gate, clock, log: silent, budget: new Budget() },
      upgrade: { discovery: hub.url, identity, epochs, now },
      graceMillis: LIMITS.relay.graceSeconds * 1000,
      locate: (requestor, ref) => provider.vms.queries.locate(requestor, ref),
      dial: async (_vmId, signal) => {
        const [near, far] = duplexPair();
        dialled.push({ near, far, signal });
        await dialling();
        return near;
      },
    }),
  );
  provider.cutBy(relays);
  alice = await Requestor.of(provider);
  bob = await Requestor.of(provider);
  vm = await alice.running('web');
  const grant = { body: { requestor: bob.id, sshKey } };
  await alice.call('POST', paths.vmPart(provider.id, vm.id, 'grants'), grant);
});
afterEach(() => cleanup.disposeAsync());

/** @returns `open`, or the code of a refusal */
async function open(who: Requestor, session: string): Promise<string> {
  const url = `${DISCOVERY}${paths.ssh(provider.id, vm.id)}`;
  const { now } = provider.clock;
  const request = await signRequest({ method: 'GET', url, epoch: 1 }, who.identity, { now });
  const answer = await relays.open(session, request);
  await verifyAnswer(answer, request, provider.id);
  if (answer.status === 200) return 'open';
  return errorBodySchema.parse(JSON.parse(answer.body)).error.code;
}

const id = (digit: string) => digit.repeat(64);

async function enter(who: Requestor, session: string): Promise<Wire> {
  expect(await open(who, session)).toBe('open');
  const wire = await hub.connection();
  expect(wire.path).toBe(paths.relay(session));
  // The agent answers once its own end is open, too.
  wire.socket.resume();
  wire.socket.ping();
  await once(wire.socket, 'pong');
  wire.socket.pause();
  return wire;
}

const unshare = () => alice.call('DELETE', paths.grant(provider.id, vm.id, bob.id));

test('a grant that is taken back cuts its sessions, and those of the owner carry every byte', async () => {
  const hers = await enter(alice, id('a'));
  const his = await enter(bob, id('b'));
  const ends = [hers, his].map(({ socket }) => {
    const [stream, far] = duplexPair();
    const over = pump({
      ...{ socket: frameSocket(socket), source: sourceOf(far), sink: sinkOf(far), clock },
      signal: new AbortController().signal,
    });
    return { stream, over };
  });
  const [mine, theirs] = ends;
  const [herGuest, hisGuest] = dialled;
  if (!mine || !theirs || !herGuest || !hisGuest) throw new Error('two sessions are open');
  const [there, back] = [randomBytes(3_000_000), randomBytes(2_000_000)];
  const closed = his.closed();
  const told = theirs.over.catch((error: unknown) => error);
  mine.stream.write(there.subarray(0, 1_000_000));
  theirs.stream.write(randomBytes(500_000));
  hisGuest.far.resume();
  await once(hisGuest.far, 'data');

  expect((await unshare()).status).toBe(200);
  expect(await closed).toEqual(REVOKED);
  expect(await told).toMatchObject({
    code: 'relay_failed',
    message: expect.stringContaining(REVOKED.reason),
  });
  expect(hisGuest.signal.aborted).toBe(true);

  mine.stream.end(there.subarray(1_000_000));
  herGuest.far.end(back);
  const [heard, said] = await Promise.all([buffer(herGuest.far), buffer(mine.stream)]);
  expect(Buffer.compare(heard, there)).toBe(0);
  expect(Buffer.compare(said, back)).toBe(0);
  await mine.over;
  await relays.idle();
  expect(hisGuest.near.destroyed).toBe(true);
  expect(relays.size).toBe(0);
  expect(await open(bob, id('c'))).toBe('vm_not_found');
});

test('no session slips through that is being opened meanwhile', async () => {
  const reached = Promise.withResolvers<void>();
  const wait = Promise.withResolvers<void>();
  dialling = async () => {
    reached.resolve();
    await wait.promise;
  };
  const opening = open(bob, id('b'));
  await reached.promise;
  await unshare();
  expect(dialled[0]?.signal.aborted).toBe(true);
  wait.resolve();
  expect(await opening).toBe('vm_not_found');
  expect(dialled[0]?.near.destroyed).toBe(true);
  expect(relays.size).toBe(0);
});

test('who has lost the connection at that moment is told when they come again', async () => {
  const his = await enter(bob, id('b'));
  hub.refuse = { status: 503, body: '{}' };
  his.socket.terminate();
  // The agent tries to take the session up again.
  while (hub.upgrades < 2) await new Promise((resolve) => setImmediate(resolve));
  await unshare();
  await relays.idle();
  hub.refuse = undefined;
  relays.resume(id('b'));
  let ending: { code: number; reason: string };
  do {
    const again = await hub.connection();
    again.socket.resume();
    ending = await again.closed();
    // A try that was under way when the session ended is broken off without a word.
  } while (ending.code === 1006);
  expect(ending).toEqual(REVOKED);
});

describe('a VM that is removed', () => {
  test.each([
    [
      'by its owner',
      async () => {
        const { status } = await alice.call('DELETE', paths.vm(provider.id, vm.id));
        expect(status).toBe(202);
      },
    ],
    ['by the operator', async () => void provider.vms.operator.evict(vm.id, 'It sent spam.')],
  ])('%s takes everybody’s sessions with it', async (_who, remove) => {
    const wires = [await enter(alice, id('a')), await enter(bob, id('b'))];
    const closes = wires.map((wire) => {
      const closed = wire.closed();
      wire.socket.resume();
      return closed;
    });
    await remove();
    expect(await Promise.all(closes)).toEqual([GONE, GONE]);
    await relays.idle();
    expect(dialled.map(({ near }) => near.destroyed)).toEqual([true, true]);
  });
});

test('a key that is denied is out of the VMs of others, and stays in its own', async () => {
  const hers = await enter(alice, id('a'));
  const his = await enter(bob, id('b'));
  const closed = his.closed();
  his.socket.resume();
  hers.socket.resume();
  denied.add(bob.id).add(alice.id);
  relays.recheck();
  expect(await closed).toEqual(REVOKED);
  hers.socket.ping();
  await once(hers.socket, 'pong');
  expect(relays.size).toBe(1);
  expect(await open(alice, id('c'))).toBe('open');
  expect(await open(bob, id('d'))).toBe('vm_not_found');
});
