/** What the operator's API does with what it does not expect, over a real socket. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { GolemError } from '@vm-on-golem/shared/errors';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { operatorListener, type Controls } from './app.ts';
import { ControlClient } from './client.ts';
import { controlPath, listenForOperator } from './socket.ts';

let dir: string;
let cleanup: AsyncDisposableStack;
let logged: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), 'app-'));
  cleanup.defer(() => rm(dir, { recursive: true }));
  logged = '';
});
afterEach(() => cleanup.disposeAsync());

/** Whatever is not given must not be called. */
async function serve(controls: Partial<Controls>): Promise<void> {
  const log = pino({ level: 'error' }, { write: (line: string) => void (logged += line) });
  const all = new Proxy(controls, {
    get: (given, name) => {
      if (name in given) return given[name as keyof Controls];
      return () => {
        throw new Error(`${String(name)} was called`);
      };
    },
  }) as Controls;
  cleanup.use(await listenForOperator(dir, operatorListener(all, log)));
}

async function ask(method: string, path: string, body?: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status?: number; body: unknown }>();
  const socketPath = controlPath(dir);
  const sent = request({ socketPath, method, path, agent: false }, (response) => {
    text(response).then((said) => {
      const { statusCode } = response;
      resolve({ ...(statusCode && { status: statusCode }), body: JSON.parse(said) as unknown });
    }, reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
const refused = (status: number, code: string) => ({ status, body: { error: { code } } });

test.each([
  ['GET', '/v1/nothing', undefined, 501, 'unsupported'],
  ['POST', '/v1/status', undefined, 501, 'unsupported'],
  ['POST', '/v1/drain', '{', 400, 'invalid_request'],
  ['POST', '/v1/drain', '{}', 400, 'invalid_request'],
  ['POST', '/v1/drain', '{"by":"18:00"}', 400, 'invalid_request'],
  ['POST', '/v1/drain', '{"by":"2026-11-25T18:00:00Z","soon":true}', 400, 'invalid_request'],
  ['POST', '/v1/vms/web/evict', '{}', 400, 'invalid_request'],
  [
    'POST',
    '/v1/vms/web/evict',
    JSON.stringify({ reason: 'x'.repeat(201) }),
    400,
    'invalid_request',
  ],
  [
    'POST',
    '/v1/vms/web/evict',
    JSON.stringify({ reason: 'x'.repeat(20_000) }),
    413,
    'payload_too_large',
  ],
  ['GET', '/v1/earnings?by=year', undefined, 400, 'invalid_request'],
  ['GET', '/v1/earnings?by=day&from=yesterday', undefined, 400, 'invalid_request'],
])('%s %s is refused', async (method, path, body, status, code) => {
  await serve({});
  expect(await ask(method, path, body)).toMatchObject(refused(status, code));
  expect(logged).toBe('');
});

test('what breaks inside is one line in the log, and tells nobody how', async () => {
  await serve({
    pause: () => {
      throw new Error('the secret of pausing');
    },
  });
  const answer = await ask('POST', '/v1/pause');
  expect(answer).toMatchObject(refused(500, 'internal'));
  expect(JSON.stringify(answer)).not.toContain('secret');
  expect(logged).toContain('the secret of pausing');
});

test('a name with anything in it gets there as it is, and a refusal comes back as it is', async () => {
  const asked: string[] = [];
  await serve({
    evict: (ref, reason) => {
      asked.push(ref, reason);
      throw new GolemError('vm_not_found', `There is no VM ${ref} here.`, { hint: 'Look.' });
    },
  });
  const odd = 'a/../b?c#d%20é';
  await expect(new ControlClient(dir).evict(odd, 'why "not"?')).rejects.toMatchObject({
    code: 'vm_not_found',
    message: `There is no VM ${odd} here.`,
    hint: 'Look.',
  });
  expect(asked).toEqual([odd, 'why "not"?']);
});
