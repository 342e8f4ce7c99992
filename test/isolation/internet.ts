/**
 * Runs in the public part of the small Internet: a web server, a mail server, a source of 4 MiB, and a
 * name server that knows one name. Prints a line when all of them listen.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const SOURCE_PORT = 81;
const [, , name = '', address = ''] = process.argv;

for (const port of [25, 53, 80]) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen(port, '0.0.0.0');
  await once(server, 'listening');
}
/** Says more than any window holds. */
const source = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.end(Buffer.alloc(4 * 1024 * 1024));
}).listen(SOURCE_PORT, '0.0.0.0');
await once(source, 'listening');
const names = createSocket('udp4');
names.on('message', (question, { port, address: from }) => {
  names.send(answer(question), port, from);
});
names.bind(53, '0.0.0.0');
await once(names, 'listening');
console.log('listening');

/** The one address for the one name; no address for anything else. */
function answer(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const asked = labels(question).join('.');
  const type = question.readUInt16BE(end - 4);
  const found = asked === name && type === 1;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(asked === name ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(found ? 1 : 0, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  const record = Buffer.from([
    0xc0,
    12,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    60,
    0,
    4,
    ...address.split('.').map(Number),
  ]);
  return Buffer.concat([header, question.subarray(12, end), ...(found ? [record] : [])]);
}

function labels(question: Buffer): string[] {
  const found: string[] = [];
  for (let at = 12; question[at]; at += (question[at] ?? 0) + 1) {
    found.push(question.subarray(at + 1, at + 1 + (question[at] ?? 0)).toString());
  }
  return found;
}
