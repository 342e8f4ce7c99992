/** What the agent writes down: the whole way of a request under its name, and no secret. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paths } from '@vm-on-golem/shared/api';
import type { Identity } from '@vm-on-golem/shared/keys';
import { seal } from '@vm-on-golem/shared/sealing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBody, scratchFolder } from './provider.ts';
import { RunningAgent } from './running.ts';

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

test('all that is done for a request is logged under its name, down to the driver', async () => {
  const agent = cleanup.use(await RunningAgent.start({ dir }));
  const [{ operation, vm }, other] = await Promise.all([
    agent.create(createBody('web'), 'req_journey'),
    agent.create(createBody('other'), 'req_other'),
  ]);
  await Promise.all([agent.follow(operation), agent.follow(other.operation)]);
  const lines = (await agent.log()).filter(({ request }) => request === 'req_journey');
  const said = lines.map(({ msg, stage, call }) => [msg, stage ?? call].filter(Boolean).join(' '));
  // When the answer has left, the work may have begun.
  expect(said.toSorted((a, b) => Number(b === 'request') - Number(a === 'request'))).toEqual([
    'request',
    'stage image',
    'stage disk',
    'stage boot',
    'stage ssh',
    'driver launch',
    'operation ended ready',
  ]);
  expect(lines.find(({ msg }) => msg === 'request')).toMatchObject({
    method: 'POST',
    route: '/vms',
    status: 202,
    requestor: agent.owner.id,
  });
  for (const line of lines.filter(({ msg }) => msg !== 'request')) {
    expect([line['operation'], line['vm']]).toContain(line['vm'] === undefined ? operation : vm.id);
  }
});

test('an operation that is taken up by the next start is still that of its request', async () => {
  const reached = Promise.withResolvers<void>();
  const hangs = async (_vm: string, _stage: string, signal: AbortSignal) => {
    reached.resolve();
    await once(signal, 'abort');
  };
  let operation: string;
  let owner: Identity;
  {
    await using first = await RunningAgent.start({ dir, faults: { launch: hangs } });
    ({ owner } = first);
    ({ operation } = await first.create(createBody('web'), 'req_before'));
    await reached.promise;
  }
  const second = cleanup.use(await RunningAgent.start({ dir, owner }));
  const page = await second.follow(operation);
  expect(page).toMatchObject({ state: 'failed', error: { requestId: 'req_before' } });
  const after = (await second.log()).filter(({ request }) => request === 'req_before');
  expect(after.slice(-3)).toMatchObject([
    { stage: 'rollback', operation },
    { call: 'destroy', driver: 'memory' },
    { msg: 'operation ended', stage: 'failed', operation },
  ]);
});

test('a refusal carries the name of its request, and a name that could be anything is replaced', async () => {
  const agent = cleanup.use(await RunningAgent.start({ dir }));
  const path = paths.vm(agent.id, 'vm_none');
  expect(await agent.ask('GET', paths.vm(agent.id, 'nothing'), { name: 'req_a' })).toMatchObject({
    status: 404,
    body: { error: { code: 'vm_not_found', requestId: 'req_a' } },
  });
  const odd = 'req_a"}\n{"level":"error","msg":"forged';
  const { body } = await agent.ask('POST', `${path}/start`, { name: odd });
  expect(body).toMatchObject({
    error: { requestId: expect.stringMatching(/^req_[a-z2-7]{20}$/) as string },
  });
  expect(JSON.stringify(await agent.log())).not.toContain('forged');
});

test('no secret is written down, whatever is logged', async () => {
  const agent = cleanup.use(await RunningAgent.start({ dir, settings: { 'log-level': 'trace' } }));
  const secret = 'correct-horse-battery-staple';
  const userData = await seal(
    `#cloud-config\nwrite_files:\n  - path: /root/secret\n    content: ${secret}\n`,
    agent.offer.sealingKey,
    { provider: agent.id, requestor: agent.owner.id, vmName: 'web' },
  );
  const { operation, vm } = await agent.create(createBody('web', { userData }));
  expect(await agent.follow(operation)).toMatchObject({ state: 'succeeded' });
  // One that fails is logged with what it was asked.
  await agent.ask('POST', paths.vms(agent.id), { body: createBody('web', { userData }) });
  await agent.ask('POST', `${paths.vm(agent.id, vm.id)}/start`);
  const seeded = await readFile(join(dir, 'guests', `${vm.id}.json`), 'utf8');
  const privateKey = /BEGIN OPENSSH PRIVATE KEY-----(?:\\n|\s)+([A-Za-z0-9+/]{40})/.exec(
    JSON.stringify(JSON.parse(seeded)).replaceAll('\\\\n', '\n'),
  )?.[1];
  const keys = (await readdir(dir)).filter((name) => name.endsWith('-key.json'));
  const own = await Promise.all(
    keys.map(
      async (name) => (JSON.parse(await readFile(join(dir, name), 'utf8')) as { d: string }).d,
    ),
  );
  const secrets = [secret, privateKey, userData.ciphertext, ...own];
  expect(own).toHaveLength(2);
  const log = await readFile(join(dir, 'log', 'provider.log'), 'utf8');
  expect(log).toContain(vm.id);
  for (const it of secrets) {
    expect(it).toMatch(/^.{20,}$/);
    expect(log).not.toContain(it);
  }
  expect(log).not.toMatch(/PRIVATE KEY|signature|sig1=/);
});
