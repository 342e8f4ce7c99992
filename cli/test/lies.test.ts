/**
 * A provider that breaks the protocol, where the relay in between does not look: the requestor's end
 * fails with a reason that names what was done, and another session beside it goes on.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import {
  encodeFrame,
  FRAME_TYPE,
  HEADER_BYTES,
  type Frame,
} from '@vm-on-golem/shared/stream/frame';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { runRelay } from '../src/tunnel/relay.ts';
import { readRelaySettings } from '../src/tunnel/settings.ts';

const { payloadBytes, windowBytes, windowMaxBytes } = LIMITS.relay;
const SESSION = 'a'.repeat(64);

let http: Server;
let relay: WebSocketServer;
let url: string;
/** Upgrades so far: a session that is taken up again makes one more. */
let upgrades: number;
beforeEach(async () => {
  http = createServer();
  relay = new WebSocketServer({ server: http });
  // A session with a name can be taken up again, so that a lost line would not end it.
  relay.on('headers', (headers) => headers.push(`golem-session: ${SESSION}`));
  upgrades = 0;
  relay.on('connection', () => (upgrades += 1));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/ssh`;
});
afterEach(async () => {
  for (const socket of relay.clients) socket.terminate();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

const frames = (...all: Frame[]) => all.map((frame) => encodeFrame(frame));
const data = (offset: number, length = 1): Frame => ({
  kind: 'data',
  offset,
  blocked: false,
  payload: new Uint8Array(length).fill(0x61),
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

/** A session, and the provider's end of it. */
async function opened() {
  const connected = once(relay, 'connection');
  const [input, output] = [new PassThrough(), new PassThrough()];
  const upgrade = { url, headers: { signature: 'golem=:AAAA:' } };
  const { signal } = new AbortController();
  const settings = readRelaySettings({});
  const again = async () => upgrade;
  const ended = runRelay({ upgrade, again, input, output, signal, settings });
  // It is looked at after the provider's end was closed.
  ended.catch(() => {});
  const [socket] = (await connected) as [WebSocket];
  return { input, output, ended, socket };
}

async function closeOf(socket: WebSocket) {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}

describe('a provider that lies', () => {
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
    ['a reset with too long a reason', [raw(FRAME_TYPE.reset, 0, 126)], 'payload of 126 bytes'],
    ['a gap', frames(data(0, 10), data(11)), 'bytes at 11, expected 10'],
    ['bytes once more', frames(data(0, 10), data(0, 10)), 'bytes at 0, expected 10'],
    ['bytes that overlap', frames(data(0, 10), data(9, 10)), 'bytes at 9, expected 10'],
    ['an end twice', frames(fin(0), fin(1)), 'bytes after the end'],
    ['bytes after the end', frames(fin(0), data(1)), 'bytes after the end'],
    ['an acknowledgement of nothing', frames(ack(1)), 'bytes that were never sent'],
    ['too large a window', frames(ack(0, windowMaxBytes + 1)), 'window is too large'],
    ['a resume', frames(resume(0)), 'resume in the middle of a session'],
  ];

  test.each(lies)('is left for %s', async (_, messages, how) => {
    const other = await opened();
    const { ended, socket } = await opened();
    const closed = closeOf(socket);
    for (const message of messages) socket.send(message);
    const { code, reason } = await closed;
    expect(code).toBe(CLOSE.protocol.code);
    expect(reason).toContain(how);
    await expect(ended).rejects.toThrow(how);
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed' });
    other.socket.send(encodeFrame(data(0, 5)));
    expect(String((await once(other.output, 'data'))[0])).toBe('aaaaa');
    expect(upgrades).toBe(2);
  });

  test('is left for a frame that is too large, and not looked for again', async () => {
    const { ended, socket } = await opened();
    const closed = closeOf(socket);
    socket.send(raw(FRAME_TYPE.data, 0, payloadBytes + 1));
    // The code of RFC 6455 says what is wrong.
    expect((await closed).code).toBe(1009);
    await expect(ended).rejects.toThrow(/payload size exceeded/);
    expect(upgrades).toBe(1);
  });

  test('is left for more bytes than a program that does not read was granted', async () => {
    const { ended, socket } = await opened();
    const closed = closeOf(socket);
    for (let at = 0; at < windowBytes; at += payloadBytes) {
      socket.send(encodeFrame(data(at, payloadBytes)));
    }
    socket.send(encodeFrame(data(windowBytes)));
    expect(await closed).toMatchObject({ code: CLOSE.overWindow.code });
    await expect(ended).rejects.toThrow(CLOSE.overWindow.reason);
  });

  test('is left for an acknowledgement that goes back', async () => {
    const { ended, input, socket } = await opened();
    input.write('x'.repeat(100));
    await once(socket, 'message');
    for (const frame of frames(ack(100), ack(99))) socket.send(frame);
    await expect(ended).rejects.toThrow('acknowledgement goes back');
  });

  test.each<[what: string, said: readonly Frame[], how: string]>([
    ['bytes before anything else', [data(0)], 'data before the session was taken up'],
    ['an offset that was never sent', [resume(101)], 'received bytes that were never sent'],
    ['a second resume', [resume(100), resume(100)], 'resume in the middle of a session'],
  ])('is left on a session that is taken up again: %s', async (_, said, how) => {
    const { ended, input, socket } = await opened();
    input.write('x'.repeat(100));
    await once(socket, 'message');
    const connected = once(relay, 'connection');
    socket.terminate();
    const [second] = (await connected) as [WebSocket];
    const closed = closeOf(second);
    for (const frame of frames(...said)) second.send(frame);
    expect((await closed).code).toBe(CLOSE.protocol.code);
    await expect(ended).rejects.toThrow(how);
    await expect(ended).rejects.toBeInstanceOf(GolemError);
  });
});
