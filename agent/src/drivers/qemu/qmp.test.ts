import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Qmp, QmpUnreachable } from './qmp.ts';

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qmp-'));
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true });
});

type Reply = (request: { id: number; execute: string }, socket: Socket) => void;

/** Plays QEMU 7.2 on a socket: greeting first, then whatever the test answers. */
async function qemu(reply: Reply, greeting = '{"QMP": {"version": {}}}'): Promise<string> {
  const path = join(folder, 'qmp.sock');
  server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`${greeting}\r\n`);
    createInterface({ input: socket })
      .on('line', (line) => reply(JSON.parse(line), socket))
      // QEMU itself does not mind how a client goes away.
      .on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}
const ok: Reply = ({ id }, socket) => socket.write(`{"return": {}, "id": ${id}}\r\n`);

test('answers find their questions, whatever their order', async () => {
  const held: number[] = [];
  const path = await qemu((request, socket) => {
    if (request.execute === 'qmp_capabilities') return ok(request, socket);
    held.push(request.id);
    if (held.length < 2) return;
    for (const id of held.reverse()) socket.write(`{"return": ${id}, "id": ${id}}\r\n`);
  });
  using qmp = await Qmp.connect(path);
  const [first, second] = await Promise.all([qmp.execute('a'), qmp.execute('b')]);
  expect(Number(second)).toBe(Number(first) + 1);
});

test('events and junk between the answers are passed over', async () => {
  const path = await qemu((request, socket) => {
    socket.write('not json\r\n[]\r\n"text"\r\n{"event": "STOP"}\r\n{"return": {}, "id": 999}\r\n');
    ok(request, socket);
  });
  using qmp = await Qmp.connect(path);
  await expect(qmp.execute('query-status')).resolves.toEqual({});
});

test('a refusal carries the words of QEMU', async () => {
  const path = await qemu((request, socket) => {
    if (request.execute === 'qmp_capabilities') return ok(request, socket);
    socket.write(
      `{"error": {"class": "GenericError", "desc": "no such disk"}, "id": ${request.id}}\r\n`,
    );
  });
  using qmp = await Qmp.connect(path);
  await expect(qmp.execute('x')).rejects.toMatchObject({ code: 'failed', message: /no such disk/ });
});

test('what waits when QEMU ends is told so', async () => {
  const path = await qemu((request, socket) => {
    if (request.execute === 'qmp_capabilities') ok(request, socket);
    else socket.destroy();
  });
  using qmp = await Qmp.connect(path);
  await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'failed' });
  await qmp.closed;
  await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'failed' });
});

test('a line without end ends the connection, not us', async () => {
  const path = await qemu((request, socket) => {
    if (request.execute === 'qmp_capabilities') return ok(request, socket);
    socket.write('x'.repeat(4 * 1024 * 1024));
  });
  using qmp = await Qmp.connect(path);
  await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'failed' });
  await qmp.closed;
});

test('nobody at the socket is not the same as somebody who is silent', async () => {
  await expect(Qmp.connect(join(folder, 'none.sock'))).rejects.toBeInstanceOf(QmpUnreachable);
  const path = await qemu(ok, '{"not": "qemu"}');
  await expect(Qmp.connect(path)).rejects.toMatchObject({ code: 'unavailable' });
}, 10_000);
