import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { readErrorBody } from './error-body.ts';
import { EXIT, ERRORS, GolemError, invalid, type ErrorCode } from './errors.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];

describe.each(codes)('%s', (code) => {
  test('crosses the wire whole', () => {
    const error = new GolemError(code, 'what', { hint: 'do', requestId: 'req_1', retryAfter: 3 });
    const wire: unknown = JSON.parse(JSON.stringify(error.toBody()));
    const back = readErrorBody(wire);
    expect(back).toBeInstanceOf(GolemError);
    expect(back).toMatchObject({
      code,
      message: 'what',
      hint: 'do',
      requestId: 'req_1',
      retryAfter: 3,
      status: error.status,
      exitCode: error.exitCode,
      retryable: error.retryable,
    });
  });

  test('says something by itself, as a sentence', () => {
    const error = new GolemError(code);
    expect(error.message).toMatch(/^[A-Z].*\.$/);
    expect(error.toBody().error).toEqual({
      code,
      message: error.message,
      retryable: error.retryable,
    });
  });

  test('has an HTTP status of an error and an exit code of a failure', () => {
    const error = new GolemError(code);
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(error.status).toBeLessThanOrEqual(599);
    expect(Object.values(EXIT)).toContain(error.exitCode);
    expect(error.exitCode).not.toBe(EXIT.ok);
  });
});

describe('the table', () => {
  const rows = codes.map((code) => ({ code, ...ERRORS[code] }));

  test('one status means one thing to a command', () => {
    const exits: Partial<Record<number, number>> = {
      400: EXIT.usage,
      401: EXIT.denied,
      403: EXIT.denied,
      404: EXIT.notFound,
      429: EXIT.rateLimited,
      503: EXIT.unreachable,
      504: EXIT.timeout,
    };
    const odd = rows.filter(({ status, exit }) => exit !== (exits[status ?? 0] ?? exit));
    expect(odd).toEqual([]);
  });

  test('a client that is wrong is not told to try again, except for what time heals', () => {
    const retryable = rows.filter(({ status, retryable }) => retryable && Number(status) < 429);
    expect(retryable.map(({ code }) => code)).toEqual([
      'stale_request',
      'stale_epoch',
      'discovery_unreachable',
      'still_booting',
      'relay_failed',
    ]);
  });

  test('exit codes are different numbers that a shell can tell apart', () => {
    const numbers: number[] = Object.values(EXIT);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const number of numbers) expect(number).toBe(number & 255);
  });
});

describe('what is no error of the one shape', () => {
  test.each([
    undefined,
    null,
    'error',
    [],
    {},
    { error: 'not_found' },
    { error: { code: 'toString', message: 'm', retryable: false } },
    { error: { code: '__proto__', message: 'm', retryable: false } },
    { error: { code: 'not_found', retryable: false } },
    { error: { code: 'not_found', message: 'm' } },
    { error: { code: 'not_found', message: 'm'.repeat(2001), retryable: false } },
    { error: { code: 'not_found', message: 'm', retryable: false, retryAfter: -1 } },
  ])('%j', (body) => {
    expect(readErrorBody(body)).toBeUndefined();
  });
});

describe('bad input', () => {
  test('is answered with the field and the reason', () => {
    const schema = z.object({ vm: z.object({ cpus: z.number().min(1, 'at least 1') }) });
    const error = invalid('The body', schema.safeParse({ vm: { cpus: 0 } }).error!);
    expect(error.code).toBe('invalid_request');
    expect(error.message).toBe('The body is not valid: vm.cpus: at least 1');
  });

  test('that is quoted at length still makes an answer that can be read', () => {
    const schema = z.strictObject({});
    const error = invalid('The body', schema.safeParse({ ['x'.repeat(60_000)]: 1 }).error!);
    const body = new GolemError('invalid_request', error.message, {
      hint: 'y'.repeat(5000),
    }).toBody();
    expect(readErrorBody(body)?.code).toBe('invalid_request');
  });
});

test('the cause is kept on this side and never sent', () => {
  const cause = new Error('secret path');
  const error = new GolemError('internal', undefined, { cause });
  expect(error.cause).toBe(cause);
  expect(JSON.stringify(error.toBody())).not.toContain('secret');
});
