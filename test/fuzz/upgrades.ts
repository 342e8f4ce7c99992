/** Upgrades that are not what they should be, at all three doors. */
import { connect } from 'node:net';
import { once } from 'node:events';
import * as fc from 'fast-check';
import { paths } from '../../shared/src/api.ts';
import { CONTROL_PROTOCOL } from '../../shared/src/control.ts';
import { generateIdentity, type Identity } from '../../shared/src/keys.ts';
import type { WireRequest } from '../../shared/src/signing.ts';
import { attack, Violation, type Answer, type Attack, type Endpoint } from './attack.ts';
import type { Arena } from './arena.ts';
import { dial, refusedBy, type Upgrade } from './peer.ts';

const DOORS = ['agent', 'relay', 'ssh'] as const;
type Door = (typeof DOORS)[number];
const HEADERS = ['signature', 'signature-input', 'golem-epoch'] as const;
/** How long what is only half said is left open. */
const HALF_OPEN_MILLIS = 500;

const doorsOf = (endpoint: Endpoint): fc.Arbitrary<Door> =>
  endpoint === 'control' ? fc.constant('agent') : fc.constantFrom('relay', 'ssh');

function pathOf(arena: Arena, door: Door): string {
  const { honest, tenant } = arena.options;
  if (door === 'agent') return paths.agent;
  return door === 'relay' ? paths.relay(honest.session) : paths.ssh(honest.provider, tenant.vm);
}

/** Whose signature the door would take for good, were it not for what is wrong with it. */
const keyOf = async (arena: Arena, door: Door): Promise<Identity> =>
  door === 'ssh' ? arena.options.tenant.identity : generateIdentity('provider');

async function good(arena: Arena, door: Door, now?: () => number): Promise<WireRequest> {
  const identity = await keyOf(arena, door);
  const path = pathOf(arena, door);
  return arena.sign(identity, { method: 'GET', path, epoch: arena.nextEpoch() }, now);
}

/** @throws {Violation} when it is opened after all */
async function refused(upgrade: Upgrade, door: Door): Promise<readonly Answer[]> {
  const protocols = upgrade.protocols ?? (door === 'agent' ? [CONTROL_PROTOCOL] : []);
  const { peer, ...rest } = await dial({ ...upgrade, protocols });
  if (!peer) return told(Object.values(rest));
  peer.cut();
  throw new Violation('an upgrade that is not valid was let in');
}

/** @throws {Violation} for an upgrade that was not answered */
function told(answers: readonly Answer[]): readonly Answer[] {
  if (answers.includes('cut')) throw new Violation('an upgrade was not answered');
  return answers;
}

const header = fc.constantFrom(...HEADERS);
/** Where in a text, whatever its length. */
const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const printable = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));

function replaceAt(text: string, at: number, character: string): string {
  const index = Math.floor(at * text.length);
  const other = text[index] === character ? (character === 'x' ? 'y' : 'x') : character;
  return text.slice(0, index) + other + text.slice(index + 1);
}

export const upgrades = (endpoint: Endpoint): readonly Attack[] => {
  const door = doorsOf(endpoint);
  return [
    attack(
      endpoint,
      'upgrade without signature',
      fc.record({ door, without: fc.uniqueArray(header, { minLength: 1 }) }),
      async (arena, { door, without }) => {
        const { url, headers } = await good(arena, door);
        const kept = Object.entries(headers).filter(
          ([name]) => !without.includes(name as 'signature'),
        );
        return refused({ url, headers: Object.fromEntries(kept) }, door);
      },
    ),
    attack(
      endpoint,
      'upgrade mutated',
      fc.record({ door, header, at: share, character: printable }),
      async (arena, { door, header, at, character }) => {
        const { url, headers } = await good(arena, door);
        const mutated = replaceAt(headers[header] ?? '', at, character);
        return refused({ url, headers: { ...headers, [header]: mutated } }, door);
      },
    ),
    attack(
      endpoint,
      'upgrade with a header twice',
      fc.record({ door, header, isOther: fc.boolean() }),
      async (arena, { door, header, isOther }) => {
        const { url, headers } = await good(arena, door);
        const other = isOther ? (await good(arena, door)).headers : headers;
        const twice = [headers[header] ?? '', other[header] ?? ''];
        return refused({ url, headers: { ...headers, [header]: twice } }, door);
      },
    ),
    attack(
      endpoint,
      "upgrade with another's signature",
      fc.record({ door, headers: fc.subarray([...HEADERS], { minLength: 1, maxLength: 2 }) }),
      async (arena, { door, headers: taken }) => {
        const { url, headers } = await good(arena, door);
        const other = await good(arena, door);
        const mixed = taken.map((name) => [name, other.headers[name] ?? ''] as const);
        return refused({ url, headers: { ...headers, ...Object.fromEntries(mixed) } }, door);
      },
    ),
    attack(
      endpoint,
      'upgrade signed for something else',
      fc.record({
        door,
        method: fc.constantFrom('GET', 'POST'),
        path: fc.constantFrom('/', '/x', '?x=1'),
      }),
      async (arena, { door, method, path }) => {
        const { url } = await good(arena, door);
        const signed = await arena.sign(await keyOf(arena, door), {
          ...{ method, path: pathOf(arena, door) + path, epoch: arena.nextEpoch() },
          ...(method === 'POST' ? { idempotencyKey: 'of-an-upgrade' } : {}),
        });
        return refused({ url, headers: signed.headers }, door);
      },
    ),
    attack(
      endpoint,
      'upgrade at another time',
      fc.record({ door, seconds: fc.integer({ min: 100, max: 10_000_000 }), isPast: fc.boolean() }),
      async (arena, { door, seconds, isPast }) => {
        const now = () => Date.now() + (isPast ? -1 : 1) * seconds * 1000;
        return refused(await good(arena, door, now), door);
      },
    ),
    attack(
      endpoint,
      'upgrade with an epoch that is none',
      fc.record({
        door,
        epoch: fc.oneof(
          fc.constantFrom(-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e21),
          fc.double({ max: -Number.MIN_VALUE, noNaN: true }),
        ),
      }),
      async (arena, { door, epoch }) => {
        const path = pathOf(arena, door);
        const identity = await keyOf(arena, door);
        return refused(await arena.sign(identity, { method: 'GET', path, epoch }), door);
      },
    ),
    attack(
      endpoint,
      'upgrade that is far too long',
      fc.record({ door, length: fc.integer({ min: 2_100, max: 12_000 }), inQuery: fc.boolean() }),
      async (arena, { door, length, inQuery }) => {
        const { url, headers } = await good(arena, door);
        if (inQuery) return refused({ url: `${url}?${'x'.repeat(length + 2_000)}`, headers }, door);
        const long = `${headers['signature']}, x=:${'A'.repeat(length)}:`;
        return refused({ url, headers: { ...headers, signature: long } }, door);
      },
    ),
    attack(
      endpoint,
      'no upgrade at all',
      fc.record({
        door,
        method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'),
      }),
      async (arena, { door, method }) => {
        const { url, headers } = await good(arena, door);
        const answer = await fetch(url, { method, headers });
        // What has no body can be told by its status alone.
        if (method === 'HEAD') return [String(answer.status)];
        return [refusedBy(answer.status, await answer.text())];
      },
    ),
    attack(
      endpoint,
      'upgrade that is half said',
      fc.record({ door, at: share, isLeft: fc.boolean() }),
      async (arena, { door, at, isLeft }) => {
        const { url, headers } = await good(arena, door);
        const { host, hostname, port, pathname } = new URL(url);
        const lines = [
          ...[`GET ${pathname} HTTP/1.1`, `Host: ${host}`, 'Upgrade: websocket'],
          ...['Connection: Upgrade', 'Sec-WebSocket-Version: 13'],
          ...['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='],
          ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        ];
        const text = `${lines.join('\r\n')}\r\n\r\n`;
        const tcp = connect(Number(port), hostname);
        await once(tcp, 'connect');
        tcp.on('error', () => {
          // It may be reset before we are done.
        });
        tcp.write(text.slice(0, Math.floor(at * text.length)));
        if (isLeft) await new Promise((resolve) => setTimeout(resolve, HALF_OPEN_MILLIS));
        tcp.destroy();
        return ['cut'];
      },
      4,
    ),
  ];
};
