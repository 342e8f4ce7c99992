/** Control sockets that are used as no WebSocket library would, and providers that answer with lies. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { paths } from '../../../shared/src/api.ts';
import { parseHubMessage } from '../../../shared/src/control.ts';
import { LIMITS } from '../../../shared/src/limits.ts';
import type { WireRequest } from '../../../shared/src/signing.ts';
import { attack, Violation, type Answer, type Attack } from '../attack.ts';

/** No offer in time, and the sweeps of a hub that are spread by as much. */
const HELLO_MILLIS = (2 * LIMITS.control.helloSeconds + 10) * 1000;
const LOOK_MILLIS = 100;

/** A masked frame; a mask of zeros leaves the payload as it is. */
function framed(first: number, payload: Uint8Array, declared = payload.length): Buffer {
  const length =
    declared < 126
      ? [0x80 | declared]
      : [
          0xff,
          ...Array.from({ length: 8 }, (_, n) => Math.floor(declared / 2 ** (8 * (7 - n))) & 0xff),
        ];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), payload]);
}

/** Each is an end of the connection by RFC 6455. */
const brokenFrame: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(0x83, 0x87, 0x8b, 0x8f).map((opcode) => framed(opcode, Buffer.from('x'))),
  fc.constantFrom(0xc1, 0xa1, 0x91, 0xf2).map((reserved) => framed(reserved, Buffer.from('x'))),
  // A continuation of nothing.
  fc.constant(framed(0x80, Buffer.from('x'))),
  fc
    .integer({ min: 2 ** 26, max: 2 ** 52 })
    .map((length) => framed(0x82, Buffer.from('x'), length)),
);

export const controlSockets: readonly Attack[] = [
  attack('control', 'broken WebSocket frame', brokenFrame, (arena, bytes) =>
    arena.withProvider(async (provider) => {
      const control = await provider.connect();
      control.tcp.write(bytes);
      return [await control.closed('framing')];
    }),
  ),
  attack(
    'control',
    'bytes that are no frames, then gone',
    fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 2_000 }), greeted: fc.boolean() }),
    (arena, { bytes, greeted }) =>
      arena.withProvider(async (provider) => {
        const control = await (greeted ? provider.online() : provider.connect());
        control.tcp.write(bytes);
        await sleep(LOOK_MILLIS);
        control.cut();
        return ['cut'];
      }),
    5,
  ),
  attack(
    'control',
    'close with any code, or none',
    fc.record({
      code: fc.integer({ min: 0, max: 65_535 }),
      reason: fc.string({ unit: 'binary', maxLength: 40 }),
      greeted: fc.boolean(),
    }),
    (arena, { code, reason, greeted }) =>
      arena.withProvider(async (provider) => {
        const control = await (greeted ? provider.online() : provider.connect());
        const payload = Buffer.from([code >> 8, code & 0xff, ...Buffer.from(reason)]);
        control.tcp.write(framed(0x88, payload.subarray(0, 125)));
        await control.gone();
        return ['gone'];
      }),
    5,
  ),
  attack(
    'control',
    'nothing at all',
    fc.constant({}),
    (arena) =>
      arena.withProvider(async (provider) => {
        const control = await provider.connect();
        const stopped = once(arena.options.signal, 'abort').then(() => 'left open');
        const answer = await Promise.race([stopped, control.closed('said', HELLO_MILLIS)]);
        control.cut();
        return [answer];
      }),
    1,
  ),
  attack(
    'control',
    'lies for an answer',
    fc.record({
      asks: fc.constantFrom('command', 'ssh'),
      // Whoever lies most is 200 and has no leg, which takes 15 s to be noticed.
      status: fc.integer({ min: 201, max: 599 }),
      headers: fc.oneof(
        fc.dictionary(
          fc.string({ unit: 'binary', maxLength: 20 }),
          fc.string({ unit: 'binary', maxLength: 40 }),
          { maxKeys: 4 },
        ),
        fc.record({
          signature: fc.string({ unit: 'binary', maxLength: 40 }),
          'content-digest': fc.string({ unit: 'binary' }),
        }),
      ),
      body: fc.string({ unit: 'binary', maxLength: 200 }),
    }),
    (arena, { asks, ...lie }) =>
      arena.withProvider(async (provider) => {
        const control = await provider.online();
        const { id } = provider.identity;
        const request = await arena.sign(arena.options.tenant.identity, {
          method: 'GET',
          ...(asks === 'ssh'
            ? { path: paths.ssh(id, 'web'), epoch: arena.nextEpoch() }
            : { path: paths.vms(id) }),
        });
        const answered = ask(request, asks === 'ssh');
        const asked = await control.find((text) => requestOf(text, request));
        if (asked === undefined) throw new Violation('a request did not arrive');
        control.send(JSON.stringify({ type: 'response', id: asked, ...lie }));
        return [await answered, await control.openOrClosed()];
      }),
  ),
];

function requestOf(text: string | Buffer, { headers }: WireRequest): string | undefined {
  if (typeof text !== 'string' || !text.startsWith('{')) return undefined;
  const message = parseHubMessage(text);
  if (message?.type !== 'request' && message?.type !== 'relay.open') return undefined;
  return message.headers['signature'] === headers['signature'] ? message.id : undefined;
}

/** Whatever comes is the provider's own, but an error that discovery makes of it must be a known one. */
async function ask({ url, headers }: WireRequest, isUpgrade: boolean): Promise<Answer> {
  const upgrade = {
    ...{ connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
  };
  const sent = httpRequest(url, {
    headers: { ...headers, ...(isUpgrade ? upgrade : {}) },
    agent: false,
  });
  sent.end();
  const [response] = (await once(sent, 'response').catch((cause: unknown) => {
    throw new Violation(`no answer that can be read: ${String(cause)}`, { cause });
  })) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  if (text.includes('"internal"')) throw new Violation(`${response.statusCode} ${text}`);
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return code === undefined ? 'passed on' : `${response.statusCode} ${code}`;
}
