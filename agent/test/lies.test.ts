/**
 * A requestor that breaks the protocol, where the relay in between does not look: the agent ends the
 * session with a reason that names what was done, lets go of the guest, and another session of the
 * same requestor goes on.
 */
import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { paths } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { signRequest } from '@vm-on-golem/shared/signing';
import {
  decodeFrame,
  encodeFrame,
  FRAME_TYPE,
  HEADER_BYTES,
  type Frame,
} from '@vm-on-golem/shared/stream/frame';
import { pump } from '@vm-on-golem/shared/stream/pump';
import { Budget } from '@vm-on-golem/shared/stream/window';
import type { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { clock } from '../src/clock.ts';
import { sinkOf, sourceOf } from '../src/relay/guest.ts';
import { frameSocket } from '../src/relay/leg.ts';
import { Relays } from '../src/relay/relays.ts';
import { Hub, type Wire } from './hub.ts';
import { DISCOVERY, Requestor, scratchFolder, silent, startProvider } from './provider.ts';

const { payloadBytes, windowBytes, windowMaxBytes } = LIMITS.relay;

let cleanup: AsyncDisposableStack;
let hub: Hub;
let open: (session: string) => Promise<Wire>;
/** Ends of the guests that the agent has dialled, ours first. */
let guests: (readonly [ours: Duplex, dialled: Duplex])[];

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  const { path: dir } = cleanup.use(await scratchFolder());
  const provider = cleanup.use(await startProvider({ dir }));
  hub = cleanup.use(await Hub.start({ now: provider.clock.now }));
  const alice = await Requestor.of(provider);
  guests = [];
  const { now } = provider.clock;
  const { identity, epochs } = provider.provider;
  const relays = cleanup.use(
    new Relays({
      gate: provider.gate,
      locate: (_requestor, vm) => vm,
      dial: async () => {
        const [ours, dialled] = duplexPair();
        guests.push([ours, dialled]);
        return dialled;
      },
      upgrade: { discovery: hub.url, identity, epochs, now },
      ...{ clock, log: silent, budget: new Budget() },
      graceMillis: LIMITS.relay.graceSeconds * 1000,
    }),
  );
  open = async (session) => {
    const url = DISCOVERY + paths.ssh(provider.id, 'web');
    const request = await signRequest({ method: 'GET', url, epoch: 1 }, alice.identity, { now });
    const { status, body } = await relays.open(session, request);
    if (status !== 200) throw new Error(`the session was not opened: ${status} ${body}`);
    return hub.connection();
  };
});
afterEach(() => cleanup.disposeAsync());

const encoded = (...frames: Frame[]) => frames.map((frame) => encodeFrame(frame));
const data = (offset: number, length = 1): Frame => ({
  kind: 'data',
  offset,
  blocked: false,
  payload: new Uint8Array(length).fill(7),
});
const ack = (offset: number, window = windowBytes): Frame => ({ kind: 'ack', offset, window });
const fin = (offset: number): Frame => ({ kind: 'fin', offset });
const resume = (offset: number): Frame => ({ kind: 'resume', offset, epoch: 1 });

/** Byte for byte, whatever is wrong with it. */
function raw(type: number, flags: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + length);
  bytes.set([type, flags]);
  return bytes;
}

/** A session of an honest requestor, whose bytes come back as the guest says them. */
async function startBystander(session: string): Promise<(text: string) => Promise<string>> {
  const { socket } = await open(session);
  const [stream, far] = duplexPair();
  pump({
    ...{ socket: frameSocket(socket), source: sourceOf(far), sink: sinkOf(far), clock },
    signal: new AbortController().signal,
  }).catch(() => {
    // It ends with the agent.
  });
  const guest = guests.at(-1)?.[0];
  guest?.pipe(guest);
  return async (text) => {
    const back = once(stream, 'data');
    stream.write(text);
    return String((await back)[0]);
  };
}

function send(socket: WebSocket, messages: readonly (string | Uint8Array)[]): void {
  for (const message of messages) socket.send(message);
}

/** How the agent closes a session on whose first leg it was told this. */
async function told(session: string, messages: readonly (string | Uint8Array)[]) {
  const wire = await open(session);
  const closed = wire.closed();
  wire.socket.resume();
  send(wire.socket, messages);
  return closed;
}

describe('a requestor that lies', () => {
  const lies: readonly [what: string, messages: readonly (string | Uint8Array)[], how: string][] = [
    ['text', ['hello'], 'a relay carries binary frames only'],
    [
      'text that could be a frame',
      ['\u0001'.padEnd(9, '\0')],
      'a relay carries binary frames only',
    ],
    ['a frame without a header', [new Uint8Array(3)], 'a frame of 3 bytes has no header'],
    ['an unknown type', [raw(99, 0, 0)], 'unknown frame type 99'],
    ['unknown flags', [raw(FRAME_TYPE.data, 2, 1)], 'unknown flags 2 on data'],
    ['an ack that is cut short', [raw(FRAME_TYPE.ack, 0, 3)], 'ack with a payload of 3 bytes'],
    ['a reset with too long a reason', [raw(FRAME_TYPE.reset, 0, 126)], 'payload of 126 bytes'],
    ['a gap', encoded(data(0, 10), data(11)), 'bytes at 11, expected 10'],
    ['bytes once more', encoded(data(0, 10), data(0, 10)), 'bytes at 0, expected 10'],
    ['bytes that overlap', encoded(data(0, 10), data(9, 10)), 'bytes at 9, expected 10'],
    ['an end twice', encoded(fin(0), fin(1)), 'bytes after the end'],
    ['bytes after the end', encoded(fin(0), data(1)), 'bytes after the end'],
    ['an acknowledgement of nothing', encoded(ack(1)), 'bytes that were never sent'],
    ['too large a window', encoded(ack(0, windowMaxBytes + 1)), 'window is too large'],
    ['a resume', encoded(resume(0)), 'resume in the middle of a session'],
  ];

  test.each(lies)('is cut off for %s', async (_, messages, how) => {
    const echo = await startBystander('b'.repeat(64));
    expect(await echo('before')).toBe('before');
    const { code, reason } = await told('a'.repeat(64), messages);
    expect(code).toBe(CLOSE.protocol.code);
    expect(reason).toContain(how);
    expect(guests.map(([, dialled]) => dialled.destroyed)).toEqual([false, true]);
    expect(await echo('after')).toBe('after');
    expect(hub.upgrades).toBe(2);
  });

  test('is cut off for a frame that is too large, and does not come again', async () => {
    const echo = await startBystander('b'.repeat(64));
    const tooLarge = raw(FRAME_TYPE.data, 0, payloadBytes + 1);
    // The code of RFC 6455 says what is wrong.
    expect((await told('a'.repeat(64), [tooLarge])).code).toBe(1009);
    await vi.waitFor(() => expect(guests[1]?.[1].destroyed).toBe(true));
    expect(await echo('after')).toBe('after');
    expect(hub.upgrades).toBe(2);
  });

  test('is cut off for more bytes than a guest that does not read was granted', async () => {
    const frames = Array.from({ length: windowBytes / payloadBytes }, (_, n) =>
      encodeFrame(data(n * payloadBytes, payloadBytes)),
    );
    const echo = await startBystander('b'.repeat(64));
    const past = encoded(data(windowBytes));
    const { code, reason } = await told('a'.repeat(64), [...frames, ...past]);
    expect(code).toBe(CLOSE.overWindow.code);
    expect(reason).toContain(CLOSE.overWindow.reason);
    expect(await echo('after')).toBe('after');
  });

  test('is cut off for an acknowledgement that goes back', async () => {
    const wire = await open('a'.repeat(64));
    guests[0]?.[0].write('x'.repeat(100));
    wire.socket.resume();
    const closed = wire.closed();
    await once(wire.socket, 'message');
    send(wire.socket, encoded(ack(100), ack(99)));
    expect(await closed).toMatchObject({
      code: CLOSE.protocol.code,
      reason: expect.stringContaining('acknowledgement goes back') as string,
    });
  });

  test.each<[what: string, frames: readonly Frame[], how: string]>([
    ['bytes before anything else', [data(0)], 'data before the session was taken up'],
    ['an offset that was never sent', [resume(101)], 'received bytes that were never sent'],
    ['an offset that was acknowledged', [resume(49)], 'asks for what it has acknowledged'],
    ['a second resume', [resume(100), resume(100)], 'resume in the middle of a session'],
  ])('is cut off on a session that is taken up again: %s', async (_, frames, how) => {
    const echo = await startBystander('b'.repeat(64));
    const first = await open('a'.repeat(64));
    guests[1]?.[0].write('x'.repeat(100));
    first.socket.resume();
    await once(first.socket, 'message');
    send(first.socket, [...encoded(data(0)), ...encoded(ack(50))]);
    // The guest has it: so does the agent, who has read the acknowledgement before.
    if (guests[1]) await once(guests[1][0], 'readable');
    await vi.waitFor(async () => {
      send(first.socket, encoded({ kind: 'ping', offset: 5 }));
      const [pong] = (await once(first.socket, 'message')) as [Buffer];
      expect(decodeFrame(pong).kind).toBe('pong');
    });
    first.socket.terminate();
    const second = await hub.connection();
    const closed = second.closed();
    second.socket.resume();
    send(second.socket, encoded(...frames));
    const { code, reason } = await closed;
    expect(code).toBe(CLOSE.protocol.code);
    expect(reason).toContain(how);
    expect(await echo('after')).toBe('after');
  });
});

test('a leg that was closed and whose connection stays open is dialled again all the same', async () => {
  const { socket, tcp } = await open('a'.repeat(64));
  const { code } = CLOSE.parted;
  // A close that nobody follows up: what the agent answers is not read.
  socket.pause();
  tcp.write(Buffer.from([0x88, 2, code >> 8, code & 0xff]));
  const { path } = await hub.connection();
  expect(path).toBe(paths.relay('a'.repeat(64)));
});
