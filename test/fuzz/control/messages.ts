/** What a provider sends on its control socket that no agent would. */
import * as fc from 'fast-check';
import { LIMITS } from '../../../shared/src/limits.ts';
import type { HostileProvider } from '../arena.ts';
import type { Attack } from '../attack.ts';
import { ends, endures, mayEnd } from './acts.ts';

const { messageBytes } = LIMITS.control;

const greeted = fc.boolean();
const share = fc.double({ min: 0, max: 0.999, noNaN: true });
/** Not only ASCII: what is quoted in a reason has to be fit for that. */
const anyString = fc.string({ unit: 'binary', maxLength: 60 });
const anyType = fc.oneof(fc.constantFrom('offer', 'response'), anyString);

async function plainMessage(provider: HostileProvider, isOffer: boolean): Promise<string> {
  if (isOffer) return JSON.stringify({ type: 'offer', offer: await provider.offer() });
  return JSON.stringify({ type: 'response', id: 'req_x', status: 200, headers: {}, body: '{}' });
}

export const controlMessages: readonly Attack[] = [
  ends(
    'bytes instead of text',
    fc.record({ greeted, bytes: fc.uint8Array({ maxLength: 4_096 }) }),
    ({ bytes }) => bytes,
  ),
  ends(
    'message cut short',
    fc.record({ greeted, isOffer: fc.boolean(), at: share }),
    async ({ isOffer, at }, provider) => {
      const text = await plainMessage(provider, isOffer);
      return text.slice(0, Math.floor(at * text.length));
    },
  ),
  mayEnd(
    'message mutated',
    fc.record({
      greeted,
      isOffer: fc.boolean(),
      at: share,
      by: fc.string({ unit: 'binary', maxLength: 3 }),
    }),
    async ({ isOffer, at, by }, provider) => {
      const text = await plainMessage(provider, isOffer);
      const index = Math.floor(at * text.length);
      return text.slice(0, index) + by + text.slice(index + 1);
    },
  ),
  ends(
    'message that is too large',
    fc.record({ greeted, length: fc.integer({ min: messageBytes + 1, max: 12 * messageBytes }) }),
    ({ length }) => 'x'.repeat(length),
  ),
  mayEnd(
    'JSON of any kind',
    fc.record({
      greeted,
      json: fc.json({ depthSize: 'medium', maxDepth: 6, stringUnit: 'binary' }),
    }),
    ({ json }) => json,
  ),
  mayEnd(
    'fields of any kind',
    fc.record({
      greeted,
      type: anyType,
      fields: fc.dictionary(anyString, fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), {
        maxKeys: 8,
      }),
    }),
    ({ type, fields }) => JSON.stringify({ ...fields, type }),
  ),
  mayEnd(
    'offer with fields of any kind',
    fc.record({
      greeted,
      offer: fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }),
      more: fc.dictionary(anyString, fc.constant(1), { maxKeys: 2 }),
    }),
    async ({ offer, more }, provider) => {
      const signed = offer === null ? { ...(await provider.offer()), ...more } : offer;
      return JSON.stringify({ type: 'offer', offer: signed });
    },
  ),
  ends(
    'unknown type',
    fc.record({
      greeted,
      type: anyString.filter((type) => type !== 'offer' && type !== 'response'),
    }),
    ({ type }) => JSON.stringify({ type }),
  ),
  endures(
    'unknown type, optional',
    fc.record({
      greeted,
      type: anyString.filter((type) => type !== 'offer' && type !== 'response'),
      extra: fc.jsonValue({ maxDepth: 2 }),
    }),
    ({ type, extra }) => [JSON.stringify({ type, optional: true, extra })],
  ),
  endures(
    'answers nobody asked for',
    fc.record({
      greeted,
      ids: fc.array(fc.string({ minLength: 1, maxLength: 64 }), { minLength: 1, maxLength: 20 }),
      status: fc.integer({ min: 200, max: 599 }),
    }),
    ({ ids, status }) =>
      ids.map((id) => JSON.stringify({ type: 'response', id, status, headers: {}, body: '{}' })),
  ),
  endures(
    'flood of text pings',
    fc.record({ greeted, count: fc.integer({ min: 100, max: 2_000 }) }),
    ({ count }) => Array<string>(count).fill('ping'),
    3,
  ),
  endures(
    'flood of large answers',
    fc.record({ greeted, count: fc.integer({ min: 10, max: 60 }) }),
    ({ count }) => {
      const body = 'x'.repeat(LIMITS.control.answerBytes);
      const text = JSON.stringify({
        type: 'response',
        id: 'req_x',
        status: 200,
        headers: {},
        body,
      });
      return Array<string>(count).fill(text);
    },
    2,
  ),
];
