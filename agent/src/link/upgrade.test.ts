import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { openSocket } from './upgrade.ts';

const identity = await generateIdentity('provider');
const families = new Set((await lookup('localhost', { all: true })).map(({ family }) => family));

async function listen(stack: AsyncDisposableStack, host: string, port = 0): Promise<Server> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const hub = new WebSocketServer({ server });
  hub.on('connection', (socket) => socket.send(host));
  stack.defer(() => new Promise((closed) => server.close(() => closed())));
  return server;
}

async function answering(port: number): Promise<string> {
  const discovery = `http://localhost:${port}`;
  const upgrade = { discovery, identity, epochs: { next: () => 1 }, now: () => Date.now() };
  const request = { path: '/', maxPayload: 100, timeoutMillis: 5_000, ipv4First: true };
  const socket = await openSocket(upgrade, request);
  const [said] = (await once(socket, 'message')) as [Buffer];
  socket.terminate();
  return said.toString();
}

test.runIf(families.has(4) && families.has(6))(
  'discovery is connected by IPv4, and by IPv6 where that is all there is',
  async () => {
    await using stack = new AsyncDisposableStack();
    const six = await listen(stack, '::1');
    const { port } = six.address() as AddressInfo;
    expect(await answering(port)).toBe('::1');
    await listen(stack, '127.0.0.1', port);
    expect(await answering(port)).toBe('127.0.0.1');
  },
);
