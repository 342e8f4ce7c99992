/** A `golem` of the first version goes on working: its requests are taken, and it can read every answer. */
import { paths } from '@vm-on-golem/shared/api';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { signSuccession } from '@vm-on-golem/shared/succession';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type * as z from 'zod';
import { FIRST_VERSION } from './first-version.ts';
import {
  createBody,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
} from './provider.ts';
import { RunningAgent } from './running.ts';

const HOUR = 3_600_000;
const { publicKey: sshKey } = await generateOpenSshKeyPair();

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

test('it believes the offer', async () => {
  const agent = cleanup.use(await RunningAgent.start({ dir }));
  await agent.create(createBody('web'));
  await agent.offered(({ available }) => available.cpus === 63);
  const text = agent.offers.at(-1)?.text ?? '';
  expect(FIRST_VERSION.offer.parse(JSON.parse(text)).provider).toBe(agent.id);
});

describe('it reads', () => {
  let provider: TestProvider;
  let alice: Requestor;
  beforeEach(async () => {
    provider = cleanup.use(await startProvider({ dir }));
    alice = await Requestor.of(provider);
  });

  async function ask<Schema extends z.ZodType>(
    schema: Schema,
    status: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<z.output<Schema>> {
    const answered = await alice.call(method, path, body === undefined ? {} : { body });
    expect(answered).toMatchObject({ status });
    return schema.parse(answered.body);
  }

  test('the whole life of a VM, and what is asked without a body or a query', async () => {
    const { accepted, operation, vm, vms } = FIRST_VERSION;
    const created = await ask(accepted, 202, 'POST', paths.vms(provider.id), {
      ...createBody('web'),
      ...{ labels: { team: 'blue' }, ttlSeconds: 86_400 },
    });
    const { id } = created.vm;
    const follow = async (begun: string) => {
      operation.parse(await alice.follow(begun));
    };
    await follow(created.operation);
    for (const action of ['stop', 'start', 'restart', 'suspend', 'start', 'stop'] as const) {
      const path = paths.vmAction(provider.id, id, action);
      await follow((await ask(accepted, 202, 'POST', path)).operation);
    }
    const resize = { resources: { cpus: 2, memoryMiB: 1024, storageGiB: 6 } };
    const resized = paths.vmAction(provider.id, id, 'resize');
    await follow((await ask(accepted, 202, 'POST', resized, resize)).operation);
    const snapshots = paths.vmPart(provider.id, id, 'snapshots');
    await follow((await ask(accepted, 202, 'POST', snapshots, { name: 'one' })).operation);
    await ask(FIRST_VERSION.snapshots, 200, 'GET', snapshots);
    await ask(FIRST_VERSION.renewed, 200, 'POST', paths.vmAction(provider.id, id, 'renew'), {});
    const grant = { requestor: (await Requestor.of(provider)).id, sshKey };
    await ask(FIRST_VERSION.grants, 200, 'POST', paths.vmPart(provider.id, id, 'grants'), grant);
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    for (const part of ['console', 'stats', 'events', 'grants'] as const) {
      await ask(FIRST_VERSION[part], 200, 'GET', paths.vmPart(provider.id, id, part));
    }
    await ask(
      FIRST_VERSION.console,
      200,
      'GET',
      `${paths.vmPart(provider.id, id, 'console')}?bytes=9`,
    );
    await ask(vm, 200, 'GET', paths.vm(provider.id, 'web'));
    expect((await ask(vms, 200, 'GET', paths.vms(provider.id))).vms).toHaveLength(1);
    await follow((await ask(accepted, 202, 'DELETE', paths.vm(provider.id, id))).operation);
    const { records } = await ask(FIRST_VERSION.usage, 200, 'GET', paths.usage(provider.id));
    expect(records.length).toBeGreaterThan(1);
  });

  test.each([
    [404, 'vm_not_found', 'GET', '/none', undefined],
    [400, 'invalid_request', 'POST', '', { name: 'web', gpus: 1 }],
    [409, 'price_too_high', 'POST', '', { ...createBody('web'), maxHourlyPrice: 0 }],
    [422, 'image_unknown', 'POST', '', { ...createBody('web'), image: 'none' }],
    [404, 'not_found', 'POST', '/web/teleport', undefined],
  ] as const)('refusals: %d %s', async (status, code, method, path, body) => {
    const at = paths.vms(provider.id) + path;
    const { error } = await ask(FIRST_VERSION.error, status, method, at, body);
    expect(error.code).toBe(code);
  });

  test('what happened to a VM whose key was followed by another', async () => {
    const old = await Requestor.of(provider);
    const { id } = await old.running('web');
    const body = await signSuccession(provider.id, old.id, alice.identity, provider.clock.now());
    await old.call('POST', paths.succession(provider.id), { body });
    const page = await ask(
      FIRST_VERSION.events,
      200,
      'GET',
      paths.vmPart(provider.id, id, 'events'),
    );
    expect(page.events.at(-1)?.kind).toBe('succession');
  });
});
