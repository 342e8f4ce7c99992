/** The requestor's end of an SSH session, against a relay in this process. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { GolemError } from '@vm-on-golem/shared/errors';
import { decodeFrame, encodeFrame, type Frame } from '@vm-on-golem/shared/stream/frame';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { runRelay } from '../src/tunnel/relay.ts';
import { readRelaySettings } from '../src/tunnel/settings.ts';

let http: Server;
let relay: WebSocketServer;
let url: string;
beforeEach(async () => {
  http = createServer();
  relay = new WebSocketServer({ noServer: true });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/ssh`;
});
afterEach(async () => {
  for (const socket of relay.clients) socket.terminate();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

/** Opens what is asked for, and sends `first` together with the answer. */
function opens(...first: Frame[]): Promise<WebSocket> {
  return new Promise((resolve) => {
    http.on('upgrade', (request, socket, head) => {
      relay.handleUpgrade(request, socket, head, (opened) => {
        for (const frame of first) opened.send(encodeFrame(frame));
        resolve(opened);
      });
    });
  });
}

function session(signal = new AbortController().signal) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const headers = { signature: 'golem=:AAAA:' };
  const upgrade = { url, headers };
  const again = async () => upgrade;
  const settings = readRelaySettings({});
  return { input, output, ended: runRelay({ upgrade, again, input, output, signal, settings }) };
}

const data = (offset: number, text: string): Frame => ({
  kind: 'data',
  offset,
  blocked: false,
  payload: Buffer.from(text),
});

test('bytes go both ways, those included that come with the answer', async () => {
  const opened = opens(data(0, 'SSH-2.0-'));
  const { input, output, ended } = session();
  const socket = await opened;
  const received: Frame[] = [];
  socket.on('message', (bytes: Buffer) => {
    const frame = decodeFrame(bytes);
    received.push(frame);
    if (frame.kind !== 'fin') return;
    socket.send(encodeFrame({ kind: 'ack', offset: frame.offset + 1, window: 0 }));
  });
  input.end('hello');
  socket.send(encodeFrame(data(8, 'guest')));
  socket.send(encodeFrame({ kind: 'fin', offset: 13 }));
  expect((await buffer(output)).toString()).toBe('SSH-2.0-guest');
  await ended;
  const sent = received.flatMap((frame) => (frame.kind === 'data' ? [frame.payload] : []));
  expect(Buffer.concat(sent).toString()).toBe('hello');
  expect(received).toContainEqual({ kind: 'fin', offset: 5 });
  expect(received).toContainEqual(expect.objectContaining({ kind: 'ack', offset: 14 }));
});

describe('an upgrade that is refused', () => {
  test('fails with the error of whoever refused it', async () => {
    http.on('upgrade', (_request, socket) => {
      const body = JSON.stringify(new GolemError('wrong_state', 'The VM is stopped.').toBody());
      socket.end(`HTTP/1.1 409 Conflict\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    await expect(session().ended).rejects.toMatchObject({
      code: 'wrong_state',
      message: 'The VM is stopped.',
    });
  });

  test('by something else fails with its status', async () => {
    http.on('upgrade', (_request, socket) => {
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nOops');
    });
    await expect(session().ended).rejects.toThrow('status 502');
  });

  test('by nobody fails, too', async () => {
    http.on('upgrade', (_request, socket) => socket.destroy());
    await expect(session().ended).rejects.toMatchObject({ code: 'relay_failed' });
  });
});

test('a relay that goes away ends the session with its reason', async () => {
  const opened = opens();
  const { ended } = session();
  (await opened).close(4003, 'the other end is gone');
  await expect(ended).rejects.toThrow('the other end is gone');
});

test('whoever waits no longer lets go of the relay', async () => {
  const stop = new AbortController();
  const opened = opens(data(0, 'SSH-2.0-'));
  const { output, ended } = session(stop.signal);
  const closed = once(await opened, 'close');
  await once(output, 'data');
  stop.abort();
  await expect(ended).rejects.toBeInstanceOf(GolemError);
  expect((await closed)[0]).toBe(4008);
});
