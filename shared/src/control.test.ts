import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseAgentMessage,
  parseHubMessage,
  type AgentMessage,
  type HubMessage,
} from './control.ts';
import { GolemError } from './errors.ts';
import { LIMITS } from './limits.ts';

const parsers = [
  ['agent', parseAgentMessage],
  ['hub', parseHubMessage],
] as const;

const response: AgentMessage = {
  type: 'response',
  id: 'req_1',
  status: 200,
  headers: { 'content-digest': 'x' },
  body: '{}',
};
const hubMessages: HubMessage[] = [
  { type: 'welcome', country: 'DE', asn: null, time: '2026-01-01T00:00:00.000Z' },
  { type: 'request', id: 'req_1', method: 'GET', url: 'https://a/b', headers: {}, body: '' },
  { type: 'cancel', id: 'req_1' },
  { type: 'relay.open', id: 'req_1', session: 'a'.repeat(64), url: 'https://a/b', headers: {} },
  { type: 'drain', reason: 'deploy' },
  {
    type: 'welcome',
    country: 'unknown',
    asn: 1,
    address: '2001:db8::1',
    time: '2026-01-01T00:00:00.000Z',
  },
];

describe('messages come as they were sent', () => {
  test.each(hubMessages)('$type', (message) => {
    expect(parseHubMessage(JSON.stringify(message))).toEqual(message);
  });

  test('response', () => {
    expect(parseAgentMessage(JSON.stringify(response))).toEqual(response);
  });

  test('a field that a newer peer added is passed over', () => {
    const newer = JSON.stringify({ ...hubMessages[2], why: 'bored' });
    expect(parseHubMessage(newer)).toEqual(hubMessages[2]);
  });

  test('neither end takes the messages of its own', () => {
    expect(() => parseAgentMessage(JSON.stringify(hubMessages[2]))).toThrow(GolemError);
    expect(() => parseHubMessage(JSON.stringify(response))).toThrow(GolemError);
  });
});

describe.each(parsers)('to the %s', (who, parse) => {
  test('an unknown message is ignored when it says that it may be', () => {
    expect(parse('{"type":"gossip","optional":true}')).toBeUndefined();
    expect(() => parse('{"type":"gossip"}')).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
    expect(() => parse('{"type":"gossip","optional":"yes"}')).toThrow(GolemError);
  });

  test('a known message is checked, optional or not', () => {
    const type = who === 'agent' ? 'response' : 'cancel';
    expect(() => parse(`{"type":"${type}","optional":true}`)).toThrow(GolemError);
  });

  test('size counts in bytes', () => {
    const chars = LIMITS.control.messageBytes / 2;
    const text = (char: string) => `{"type":"gossip","optional":true,"x":"${char.repeat(chars)}"}`;
    expect(parse(text('a'))).toBeUndefined();
    expect(() => parse(text('€'))).toThrow(`The ${who}'s message is too large.`);
  });

  test('junk is refused in our own words, whatever it is', () => {
    const junk = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.constant('{"type":'));
    fc.assert(
      fc.property(junk, (text) => {
        try {
          expect(parse(text)).toBeUndefined();
        } catch (error) {
          expect(error).toMatchObject({ name: 'GolemError', code: 'invalid_request' });
        }
      }),
    );
  });
});

describe('bounds', () => {
  test.each([
    ['an id that is too long', { id: 'x'.repeat(65) }],
    ['an empty id', { id: '' }],
    ['a status that is none', { status: 99 }],
    ['an upgrade', { status: 101 }],
    ['a body that is too large', { body: 'x'.repeat(LIMITS.control.answerBytes + 1) }],
    ['a header that is too long', { headers: { a: 'x'.repeat(2049) } }],
    ['headers that are no text', { headers: { a: 1 } }],
  ])('%s', (_what, change) => {
    expect(() => parseAgentMessage(JSON.stringify({ ...response, ...change }))).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });

  test('the largest answer of JSON fits into a message', () => {
    const body = JSON.stringify({ a: 'x'.repeat(LIMITS.control.answerBytes - 8) });
    const largest = { ...response, body };
    expect(parseAgentMessage(JSON.stringify(largest))).toEqual(largest);
  });

  test('a session is nothing but a name', () => {
    const open = { ...hubMessages[3], session: '../../v1/agent' };
    expect(() => parseHubMessage(JSON.stringify(open))).toThrow(GolemError);
  });
});
