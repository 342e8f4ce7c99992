import { paths, type Accepted, type VmsPage } from '@vm-on-golem/shared/api';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { seal } from '@vm-on-golem/shared/sealing';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { signRequest, type WireRequest } from '@vm-on-golem/shared/signing';
import type { Vm } from '@vm-on-golem/shared/vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DriverError } from '../src/drivers/driver.ts';
import {
  createBody,
  DISCOVERY,
  Requestor,
  scratchFolder,
  stagesOf,
  startProvider,
  type Answered,
  type TestProvider,
} from './provider.ts';

let cleanup: AsyncDisposableStack;
let provider: TestProvider;
let alice: Requestor;
let bob: Requestor;
/** What the hypervisor is made to do wrong. */
let fault: (() => Promise<void>) | undefined;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  fault = undefined;
  const { path: dir } = cleanup.use(await scratchFolder());
  const faults = { launch: async () => fault?.() };
  provider = cleanup.use(await startProvider({ dir, faults }));
  alice = await Requestor.of(provider);
  bob = await Requestor.of(provider);
});
afterEach(() => cleanup.disposeAsync());

const vmsPath = () => paths.vms(provider.id);
const codeOf = ({ body }: Answered) => errorBodySchema.parse(body).error.code;

describe('the life of a VM', () => {
  test('is created in named stages, stopped, started and destroyed', async () => {
    const { operation, vm } = await alice.create('web');
    expect(vm).toMatchObject({ name: 'web', state: 'creating', user: 'golem' });
    const created = await alice.follow(operation);
    expect(stagesOf(created)).toEqual(['accepted', 'image', 'disk', 'boot', 'ssh', 'ready']);
    expect(created).toMatchObject({ state: 'succeeded', vm: { state: 'running' } });

    const path = paths.vm(provider.id, vm.id);
    const stop = await alice.call('POST', `${path}/stop`);
    expect(stop).toMatchObject({ status: 202, body: { vm: { state: 'stopping' } } });
    const stopped = await alice.follow((stop.body as Accepted).operation);
    expect(stopped).toMatchObject({ state: 'succeeded', vm: { state: 'stopped' } });

    const start = await alice.call('POST', `${path}/start`);
    const started = await alice.follow((start.body as Accepted).operation);
    expect(started).toMatchObject({ state: 'succeeded', vm: { state: 'running' } });

    const destroy = await alice.call('DELETE', path);
    const gone = await alice.follow((destroy.body as Accepted).operation);
    expect(gone).toMatchObject({ state: 'succeeded', vm: null });
    expect(stagesOf(gone)).toEqual(['accepted', 'remove', 'gone']);
    expect(codeOf(await alice.call('GET', path))).toBe('vm_not_found');
    expect(await provider.driver.list()).toEqual([]);
    expect(provider.store.vms.taken().vms).toBe(0);
  });

  test('a name resolves among the signer’s own, and is free again after destroy', async () => {
    const first = await alice.running('web');
    const { body } = await alice.call('DELETE', paths.vm(provider.id, 'web'));
    await alice.follow((body as Accepted).operation);
    const second = await alice.running('web');
    expect(second.id).not.toBe(first.id);
    // A late command for the first one never hits the second.
    const late = await alice.call('DELETE', paths.vm(provider.id, first.id));
    expect(codeOf(late)).toBe('vm_not_found');
    expect((await alice.call('GET', paths.vm(provider.id, 'web'))).body).toEqual(second);
  });

  test('a command that its state does not allow changes nothing', async () => {
    const vm = await alice.running('web');
    const again = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'start'));
    expect(codeOf(again)).toBe('wrong_state');
    expect((await alice.call('GET', paths.vm(provider.id, vm.id))).body).toEqual(vm);
  });

  test('destroy breaks off a launch; a second destroy joins the first', async () => {
    const launching = Promise.withResolvers<void>();
    const never = Promise.withResolvers<void>();
    fault = () => {
      launching.resolve();
      return never.promise;
    };
    const { operation, vm } = await alice.create('web');
    await launching.promise;
    const path = paths.vm(provider.id, vm.id);
    const first = await alice.call('DELETE', path);
    const second = await alice.call('DELETE', path);
    expect((second.body as Accepted).operation).toBe((first.body as Accepted).operation);
    never.reject(new DriverError('aborted', 'broken off'));
    expect(await alice.follow(operation)).toMatchObject({
      state: 'failed',
      error: { code: 'wrong_state' },
    });
    const gone = await alice.follow((first.body as Accepted).operation);
    expect(gone).toMatchObject({ state: 'succeeded', vm: null });
    expect(await provider.driver.list()).toEqual([]);
  });

  test('a failed launch leaves nothing and says why', async () => {
    fault = async () => {
      throw new DriverError('failed', 'The disk is broken.');
    };
    const { operation } = await alice.create('web');
    const failed = await alice.follow(operation);
    expect(failed).toMatchObject({
      state: 'failed',
      vm: null,
      error: { code: 'launch_failed', message: 'The disk is broken.' },
    });
    expect(stagesOf(failed).slice(-2)).toEqual(['rollback', 'failed']);
    expect(await provider.driver.list()).toEqual([]);
    expect(provider.store.vms.taken()).toEqual({ cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 });
  });
});

describe('ownership', () => {
  test('the same name with two keys are two VMs', async () => {
    const [hers, his] = await Promise.all([alice.running('web'), bob.running('web')]);
    expect(hers.id).not.toBe(his.id);
    expect((await alice.call('GET', paths.vm(provider.id, 'web'))).body).toEqual(hers);
    expect((await bob.call('GET', paths.vm(provider.id, 'web'))).body).toEqual(his);
  });

  test('another key sees nothing of a VM and can do nothing to it', async () => {
    const { operation, vm } = await alice.create('web');
    await alice.follow(operation);
    const path = paths.vm(provider.id, vm.id);
    const tries = [
      await bob.call('GET', path),
      await bob.call('DELETE', path),
      await bob.call('POST', `${path}/stop`),
      await bob.call('POST', `${path}/start`),
      await bob.call('GET', paths.vm(provider.id, 'web')),
      // What does not exist at all looks the same.
      await bob.call('GET', paths.vm(provider.id, 'vm_aaaaaaaaaaaaaaaaaaaa')),
    ];
    expect(tries.map(codeOf)).toEqual(tries.map(() => 'vm_not_found'));
    expect(new Set(tries.map(({ answer }) => answer.body)).size).toBe(1);
    const followed = await bob.call('GET', paths.operation(provider.id, operation));
    expect(codeOf(followed)).toBe('operation_not_found');
    expect((await bob.call('GET', vmsPath())).body).toEqual({ vms: [], next: null });
    expect(() => provider.vms.queries.locate(bob.id, vm.id)).toThrow(
      expect.objectContaining({ code: 'vm_not_found' }),
    );
    expect((await alice.call('GET', path)).body).toMatchObject({ state: 'running' });
  });
});

describe('idempotency', () => {
  test('the same command is done once and answered the same for a day', async () => {
    const options = { body: createBody('web'), idempotencyKey: 'key-of-the-command' };
    const first = await alice.call('POST', vmsPath(), options);
    await alice.follow((first.body as Accepted).operation);
    const second = await alice.call('POST', vmsPath(), options);
    expect(second.answer.body).toBe(first.answer.body);
    expect(provider.store.vms.live()).toHaveLength(1);
    // Another requestor's key is another key.
    const his = await bob.call('POST', vmsPath(), options);
    expect((his.body as Accepted).vm.id).not.toBe((first.body as Accepted).vm.id);

    provider.clock.advance(24 * 60 * 60 * 1000 + 1000);
    expect(codeOf(await alice.call('POST', vmsPath(), options))).toBe('vm_exists');
  });

  test('the same key with another body or path is a conflict', async () => {
    const idempotencyKey = 'key-of-the-command';
    const vm = await alice.running('other');
    await alice.call('POST', vmsPath(), { body: createBody('web'), idempotencyKey });
    const other = await alice.call('POST', vmsPath(), { body: createBody('two'), idempotencyKey });
    expect(codeOf(other)).toBe('idempotency_conflict');
    const destroy = await alice.call('DELETE', paths.vm(provider.id, vm.id), { idempotencyKey });
    expect(codeOf(destroy)).toBe('idempotency_conflict');
  });

  test('a refusal is not remembered: the same request may succeed later', async () => {
    const options = { body: createBody('web'), idempotencyKey: 'key-of-the-command' };
    const before = await alice.running('web');
    expect(codeOf(await alice.call('POST', vmsPath(), options))).toBe('vm_exists');
    const { body } = await alice.call('DELETE', paths.vm(provider.id, before.id));
    await alice.follow((body as Accepted).operation);
    expect(await alice.call('POST', vmsPath(), options)).toMatchObject({ status: 202 });
  });
});

describe('who is let in', () => {
  const get = (change: Partial<Parameters<typeof signRequest>[0]> = {}, ago = 0) =>
    signRequest({ method: 'GET', url: `${DISCOVERY}${vmsPath()}`, ...change }, alice.identity, {
      now: () => provider.clock.now() - ago,
    });

  test('a request is good for once', async () => {
    const request = await get();
    expect(await alice.send(request)).toMatchObject({ status: 200 });
    expect(codeOf(await alice.send(request))).toBe('replayed');
  });

  test('what was signed before the agent started is refused, and may be signed again', async () => {
    const answered = await alice.send(await get({}, 3000));
    expect(codeOf(answered)).toBe('stale_request');
    expect(answered.body).toMatchObject({ error: { retryable: true } });
  });

  test('clocks that differ are said to, and by how much', async () => {
    const { body } = await alice.send(await get({}, -120_000));
    expect(body).toMatchObject({ error: { code: 'clock_skew' } });
    expect(JSON.stringify(body)).toMatch(/1(19|20) s ahead/);
  });

  test.each<[string, (request: WireRequest) => WireRequest]>([
    ['body', (request) => ({ ...request, body: request.body.replace('web', 'bew') })],
    ['method', (request) => ({ ...request, method: 'DELETE' })],
    ['path', (request) => ({ ...request, url: request.url.replace(/vms$/, 'vms/web/stop') })],
    ['query', (request) => ({ ...request, url: `${request.url}?x=1` })],
    [
      'idempotency key',
      (request) => ({
        ...request,
        headers: { ...request.headers, 'golem-idempotency-key': 'another-one' },
      }),
    ],
    [
      'idempotency key left out',
      (request) => {
        const { 'golem-idempotency-key': _, ...headers } = request.headers;
        return { ...request, headers };
      },
    ],
    [
      'digest left out',
      (request) => {
        const { 'content-digest': _, ...headers } = request.headers;
        return { ...request, headers };
      },
    ],
    ['host', (request) => ({ ...request, url: request.url.replace('discovery', 'other') })],
  ])('a request whose %s was changed on its way is refused', async (_what, tamper) => {
    const answered = await alice.call('POST', vmsPath(), { body: createBody('web'), tamper });
    expect(codeOf(answered)).toBe('bad_signature');
    expect(provider.store.vms.live()).toEqual([]);
  });

  test('a request for another discovery or another provider is refused', async () => {
    const elsewhere = await get({ url: `https://evil.example${vmsPath()}` });
    expect(codeOf(await alice.send(elsewhere))).toBe('bad_signature');
    const other = `gp_${'a'.repeat(26)}`;
    const misrouted = await get({ url: `${DISCOVERY}${paths.vms(other)}` });
    expect(codeOf(await alice.send(misrouted))).toBe('provider_not_found');
  });

  test('a request without any signature gets an error and nothing else', async () => {
    const request = { method: 'GET', url: `${DISCOVERY}${vmsPath()}`, headers: {}, body: '' };
    const answer = await provider.serve(request, new AbortController().signal);
    expect(answer).toMatchObject({ status: 401, headers: {} });
    const nonsense = { ...request, url: 'no url', headers: { signature: '?', x: '?' } };
    expect((await provider.serve(nonsense, new AbortController().signal)).status).toBe(400);
  });

  test('an answer is bound to its request', async () => {
    const first = await alice.call('GET', vmsPath());
    const second = await alice.call('GET', vmsPath());
    await expect(verifyAnswer(first.answer, second.request, provider.id)).rejects.toMatchObject({
      code: 'untrusted_answer',
    });
  });
});

describe('bad input gets the one error shape and changes nothing', () => {
  const { resources } = createBody('web');
  test.each<[string, unknown, string]>([
    ['no JSON object', 'text', 'invalid_request'],
    ['an unknown field', { ...createBody('web'), extra: 1 }, 'invalid_request'],
    [
      'an unknown resource',
      createBodyWith({ resources: { ...resources, gpus: 1 } }),
      'invalid_request',
    ],
    ['a name that is an option', createBody('-rf'), 'invalid_request'],
    ['a name that is a path', createBody('../web'), 'invalid_request'],
    ['a name in capitals', createBody('Web'), 'invalid_request'],
    ['an image that is a path', createBody('web', { image: '../../etc' }), 'invalid_request'],
    ['an image that is not offered', createBody('web', { image: 'plan9' }), 'image_unknown'],
    ['no SSH key', createBody('web', { sshKeys: [] }), 'invalid_request'],
    [
      'an SSH key with options',
      createBody('web', { sshKeys: ['command="x" ssh-rsa A'] }),
      'invalid_request',
    ],
    [
      'an SSH key of two lines',
      createBody('web', { sshKeys: ['ssh-rsa A\nssh-rsa B'] }),
      'invalid_request',
    ],
    ['no CPU', createBody('web', { resources: { ...resources, cpus: 0 } }), 'invalid_request'],
    [
      'half a CPU',
      createBody('web', { resources: { ...resources, cpus: 0.5 } }),
      'invalid_request',
    ],
    [
      'more than there is',
      createBody('web', { resources: { ...resources, cpus: 9 } }),
      'no_capacity',
    ],
    ['too little for its price', createBody('web', { maxHourlyPrice: 1 }), 'price_too_high'],
    ['a label that is none', createBody('web', { labels: { 'A B': 'x' } }), 'invalid_request'],
  ])('%s', async (_what, body, code) => {
    const answered = await alice.call('POST', vmsPath(), { body });
    expect(codeOf(answered)).toBe(code);
    expect(provider.store.vms.live()).toEqual([]);
    expect(await provider.driver.list()).toEqual([]);
  });

  test('a body that is no JSON, and one that is too large', async () => {
    const signed = (body: string) =>
      signRequest(
        { method: 'POST', url: `${DISCOVERY}${vmsPath()}`, body, idempotencyKey: 'k'.repeat(8) },
        alice.identity,
        { now: provider.clock.now },
      );
    expect(codeOf(await alice.send(await signed('{')))).toBe('invalid_request');
    const large = await signed(`"${'x'.repeat(LIMITS.request.bodyBytes)}"`);
    expect(codeOf(await alice.send(large))).toBe('payload_too_large');
  });

  test.each([
    ['GET', '/vms?limit=0x10', 'invalid_request'],
    ['GET', '/vms?limit=1&limit=2', 'invalid_request'],
    ['GET', '/vms?cursor=%00', 'invalid_request'],
    ['GET', '/vms?colour=red', 'invalid_request'],
    ['GET', '/vms/--help', 'invalid_request'],
    ['GET', '/vms/web?x=1', 'invalid_request'],
    ['POST', '/vms/web/explode', 'not_found'],
    ['PATCH', '/vms/web', 'not_found'],
    ['GET', '/operations/op_x', 'operation_not_found'],
    ['GET', '/operations/op_x?wait=26', 'invalid_request'],
    ['GET', '/secrets', 'not_found'],
  ])('%s %s', async (method, path, code) => {
    expect(codeOf(await alice.call(method, `${paths.provider(provider.id)}${path}`))).toBe(code);
  });
});

describe('user data', () => {
  const purpose = () => ({ provider: provider.id, requestor: alice.id, vmName: 'web' });
  const key = () => provider.provider.sealingKey.x;

  test('is opened for its owner and name alone', async () => {
    const userData = await seal('#cloud-config\npackages: [nginx]\n', key(), purpose());
    const stolen = await bob.call('POST', vmsPath(), { body: createBody('web', { userData }) });
    expect(codeOf(stolen)).toBe('invalid_request');
    const renamed = await alice.call('POST', vmsPath(), { body: createBody('two', { userData }) });
    expect(codeOf(renamed)).toBe('invalid_request');
    await alice.running('web', { userData });
  });

  test('of an unknown kind is refused before anything is created', async () => {
    const userData = await seal('\u007fELF', key(), purpose());
    const refused = await alice.call('POST', vmsPath(), { body: createBody('web', { userData }) });
    expect(codeOf(refused)).toBe('invalid_request');
    expect(provider.store.vms.live()).toEqual([]);
  });
});

describe('lists and pages', () => {
  test('page by an opaque cursor', async () => {
    for (const name of ['a', 'b', 'c']) await alice.create(name);
    const names: string[] = [];
    let cursor = '';
    do {
      const { body } = await alice.call('GET', `${vmsPath()}?limit=2${cursor}`);
      const { vms, next } = body as VmsPage;
      names.push(...vms.map(({ name }: Vm) => name));
      cursor = next === null ? '' : `&cursor=${next}`;
    } while (cursor !== '');
    expect(names).toEqual(['a', 'b', 'c']);
  });

  test('a page of events is held open until there is news', async () => {
    const launching = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    fault = () => {
      launching.resolve();
      return go.promise;
    };
    const { operation } = await alice.create('web');
    await launching.promise;
    const waiting = alice.call('GET', `${paths.operation(provider.id, operation)}?after=3&wait=20`);
    go.resolve();
    const { body } = await waiting;
    expect(body).toMatchObject({ events: [{ n: 4, stage: 'boot' }] });
  });

  test('a page that nobody waits for any more is let go', async () => {
    const never = Promise.withResolvers<void>();
    fault = () => never.promise;
    const { operation } = await alice.create('web');
    const leaving = new AbortController();
    const waiting = alice.call(
      'GET',
      `${paths.operation(provider.id, operation)}?after=9&wait=25`,
      {
        signal: leaving.signal,
      },
    );
    leaving.abort();
    expect(await waiting).toMatchObject({ status: 200, body: { state: 'running', events: [] } });
    never.reject(new DriverError('failed', 'no'));
  });
});

test('fifty creates at once take what there is, and nothing twice', async () => {
  const { path: dir } = cleanup.use(await scratchFolder());
  const capacity = { cpus: 100, memoryMiB: 12 * 512, storageGiB: 1000, vms: 100 };
  const roomy = cleanup.use(await startProvider({ dir, capacity }));
  const requestors = await Promise.all([1, 2, 3, 4, 5].map(() => Requestor.of(roomy)));
  const answers = await Promise.all(
    requestors.flatMap((requestor, who) =>
      Array.from({ length: 10 }, (_, n) =>
        requestor.call('POST', paths.vms(roomy.id), { body: createBody(`vm-${who}-${n}`) }),
      ),
    ),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  const refused = answers.filter(({ status }) => status !== 202);
  expect(accepted).toHaveLength(12);
  expect(new Set(refused.map(codeOf))).toEqual(new Set(['no_capacity']));
  expect(new Set(accepted.map(({ body }) => (body as Accepted).vm.id)).size).toBe(12);
  expect(roomy.store.vms.taken()).toEqual({ cpus: 12, memoryMiB: 6144, storageGiB: 60, vms: 12 });
});

function createBodyWith(change: Record<string, unknown>): unknown {
  return { ...createBody('web'), ...change };
}
