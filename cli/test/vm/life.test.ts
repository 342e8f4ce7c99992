/** Bringing VMs into another state, one or many, waited for or not. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { destroy } from '../../src/commands/vm/destroy.ts';
import { info } from '../../src/commands/vm/info.ts';
import { restart, resume, start, stop, suspend } from '../../src/commands/vm/power.ts';
import { purge } from '../../src/commands/vm/purge.ts';
import { resize } from '../../src/commands/vm/resize.ts';
import { restore } from '../../src/commands/vm/restore.ts';
import { snapshot } from '../../src/commands/vm/snapshot.ts';
import { wait } from '../../src/commands/vm/wait.ts';
import { contextOf, type TestContext } from '../context.ts';
import { failure, OPERATION, pageOf, serve, server, TestProvider, vmOf } from '../network.ts';
import { remember } from '../own/world.ts';

let provider: TestProvider;
let here: TestContext;
/** State of the VM as the provider has it. */
let state: 'running' | 'stopped' | 'suspended' = 'running';

const db = vmOf({ id: `vm_${'d'.repeat(20)}`, name: 'db', labels: { kind: 'ci' } });
const DB_OPERATION = `op_${'d'.repeat(20)}`;
const sent = () =>
  provider.asked
    .filter(({ method }) => method !== 'GET')
    .map(({ method, url }) => `${method} ${new URL(url).pathname.split('/vms/')[1]}`);

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  state = 'running';
  provider = await TestProvider.create('attic');
  provider.answer = ({ method, path }) => {
    const vm = path.includes(db.id) ? db : vmOf({ state });
    if (method !== 'GET') {
      if (path.endsWith('/stop')) state = 'stopped';
      if (path.endsWith('/start')) state = 'running';
      return { status: 202, body: { operation: vm === db ? DB_OPERATION : OPERATION, vm } };
    }
    if (path.includes('/operations/')) {
      const done = path.includes(DB_OPERATION) ? db : vmOf({ state });
      return { status: 200, body: pageOf({ vm: done }) };
    }
    if (path.endsWith('/snapshots')) {
      const taken = { name: 'before', createdAt: '2026-01-01T00:00:00.000Z' };
      return { status: 200, body: { snapshots: [taken] } };
    }
    if (path.endsWith('/events')) return { status: 200, body: { events: [] } };
    return { status: 200, body: path.endsWith('/vms') ? { vms: [vm], next: null } : vm };
  };
  serve(provider);
  here = await contextOf();
  const { book } = here.context;
  await book.put({ name: 'web', provider: provider.id, vm: vmOf(), sshKey: '/k' });
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const WEB = vmOf().id;

function nobodyIsAsked(): void {
  Object.assign(here.context, {
    confirm: () => Promise.reject(new Error('somebody was asked')),
  });
}

test.each([
  ['start', start, 'start'],
  ['stop', stop, 'stop'],
  ['restart', restart, 'restart'],
  ['suspend', suspend, 'suspend'],
  ['resume', resume, 'start'],
] as const)('%s is asked for and waited for', async (_, command, action) => {
  if (command === resume) state = 'suspended';
  await expect(here.run(command, 'web')).resolves.toMatchObject([{ name: 'web' }]);
  expect(sent()).toEqual([`POST ${WEB}/${action}`]);
  expect(provider.asked.at(-1)?.url).toContain(OPERATION);
});

describe('a VM that is there already', () => {
  const refuses = () => {
    const honest = provider.answer;
    provider.answer = (request) => {
      if (request.method !== 'GET') throw new GolemError('wrong_state', 'The VM is not so.');
      return honest(request);
    };
  };

  test.each([
    ['stop', stop, 'stopped'],
    ['start', start, 'running'],
    ['suspend', suspend, 'suspended'],
  ] as const)('%s says so, and has gone well', async (_, command, there) => {
    refuses();
    state = there;
    await expect(here.run(command, 'web')).resolves.toMatchObject([{ state: there }]);
    expect(here.notes).toEqual([`web: is ${there} already`]);
  });

  test('is not taken for one that is on its way', async () => {
    refuses();
    state = 'running';
    await expect(here.run(stop, 'web')).rejects.toMatchObject({
      ...{ code: 'wrong_state', message: 'The VM is not so.' },
    });
    await expect(here.run(restart, 'web')).rejects.toMatchObject({ code: 'wrong_state' });
    expect(here.notes).toEqual([]);
  });

  test('is resumed only from its memory: nobody boots a stopped one by mistake', async () => {
    state = 'stopped';
    await expect(here.run(resume, 'web')).rejects.toMatchObject({
      code: 'wrong_state',
      message: "'web' is stopped, not suspended.",
      hint: 'Boot it: golem vm start web',
    });
    state = 'running';
    await expect(here.run(resume, 'web')).resolves.toMatchObject([{ state: 'running' }]);
    expect(here.notes).toEqual(['web: is running already']);
    expect(sent()).toEqual([]);
  });
});

test('nothing is waited for that need not be', async () => {
  await here.run(stop, 'web', '--no-wait');
  expect(provider.asked).toHaveLength(1);
});

describe('several VMs', () => {
  beforeEach(() => here.context.book.put({ name: 'db', provider: provider.id, vm: db }));

  test('are all of one label, or all that one has', async () => {
    await here.run(stop, '--label', 'kind=ci');
    expect(sent()).toEqual([`POST ${db.id}/stop`]);
    await here.run(stop, '--all');
    expect(sent().slice(1).sort()).toEqual([`POST ${WEB}/stop`, `POST ${db.id}/stop`].sort());
  });

  test('are not all by saying nothing', async () => {
    await expect(here.run(destroy, '--yes')).rejects.toMatchObject({ code: 'usage' });
    await expect(here.run(destroy, 'web', '--all', '--yes')).rejects.toMatchObject({
      ...{ code: 'usage', message: 'Names, --label and --all do not go together.' },
    });
    expect(provider.asked).toEqual([]);
  });

  test('that somebody shares are not among all of one’s own', async () => {
    const hers = vmOf({
      id: `vm_${'s'.repeat(20)}`,
      name: 'hers',
      sharedBy: `gr_${'b'.repeat(26)}`,
    });
    await here.context.book.put({ name: 'hers', provider: provider.id, vm: hers });
    await here.run(destroy, '--all', '--yes');
    expect(sent()).toHaveLength(2);
    expect((await here.context.book.all()).map(({ name }) => name)).toEqual(['hers']);
  });

  test('are all done though one of them cannot be', async () => {
    const honest = provider.answer;
    provider.answer = (request) => {
      if (request.path.includes(db.id)) throw new GolemError('wrong_state', 'Busy.');
      return honest(request);
    };
    await expect(here.run(stop, '--all')).rejects.toMatchObject({ message: 'Busy.' });
    expect(sent()).toHaveLength(2);
    expect(await here.context.book.get('web')).toMatchObject({ vm: { state: 'stopped' } });
  });

  test('are destroyed together, and forgotten', async () => {
    const gone = await here.run(destroy, 'web', 'db', '--yes');
    expect(gone.map(({ name }) => name)).toEqual(['web', 'db']);
    expect(await here.context.book.all()).toEqual([]);
  });
});

describe('waiting', () => {
  const goesOn = () => {
    const honest = provider.answer;
    provider.answer = (request) =>
      request.path.includes('/operations/')
        ? { status: 200, body: pageOf({ state: 'running', events: [] }) }
        : honest(request);
  };

  test('that is interrupted says what goes on, and how to undo it', async () => {
    goesOn();
    provider.network = (answer) => {
      if (provider.asked.length > 1) here.stop.abort(new GolemError('interrupted'));
      return new Response(answer.body, answer);
    };
    await expect(here.run(stop, 'web')).rejects.toMatchObject({
      code: 'interrupted',
      message: "Stopped waiting. The stop of 'web' goes on.",
      hint: 'Follow it: golem vm wait web. Undo it: golem vm start web.',
    });
  });

  test('ends when it may take no longer', async () => {
    goesOn();
    await expect(here.run(restart, 'web', '--timeout', '1s')).rejects.toMatchObject({
      ...{ code: 'provider_timeout', exitCode: 8, hint: 'Follow it: golem vm wait web.' },
    });
  });

  test('for whatever is at work ends when it is over', async () => {
    let looks = 0;
    provider.answer = ({ path }) => {
      if (path.endsWith('/events')) {
        const up = { n: 2, at: '2026-01-01T00:00:00.000Z', kind: 'up', by: 'agent' };
        const isFollowed = provider.asked.at(-1)?.url.includes('wait=') === true;
        return { status: 200, body: { events: isFollowed ? [up] : [] } };
      }
      looks += 1;
      return { status: 200, body: vmOf({ state: looks < 3 ? 'starting' : 'running' }) };
    };
    await here.run(wait, 'web').then((vm) => expect(vm.state).toBe('running'));
  });

  test('for an end is over when the VM is gone', async () => {
    await here.context.book.put({
      ...{ name: 'web', provider: provider.id, vm: vmOf({ state: 'destroying' }) },
    });
    provider.answer = () => {
      throw new GolemError('vm_not_found');
    };
    await expect(here.run(wait, 'web')).resolves.toMatchObject({ state: 'gone' });
    expect(await here.context.book.all()).toEqual([]);
    await here.context.book.put({ name: 'web', provider: provider.id, vm: vmOf() });
    await expect(here.run(wait, 'web')).rejects.toMatchObject({ code: 'vm_not_found' });
  });

  test('says when that failed', async () => {
    provider.answer = ({ path }) => {
      if (!path.endsWith('/events')) return { status: 200, body: vmOf({ state: 'starting' }) };
      const failed = { at: '2026-01-01T00:00:00.000Z', by: 'agent', message: 'No room.' } as const;
      const isFollowed = provider.asked.at(-1)?.url.includes('wait=') === true;
      const events = isFollowed ? [{ n: 2, kind: 'start.failed', ...failed }] : [];
      return { status: 200, body: { events } };
    };
    await expect(here.run(wait, 'web')).rejects.toMatchObject({ message: 'No room.' });
  });
});

describe('a snapshot', () => {
  test('of a VM that runs has it stopped and started again, when that was said', async () => {
    const taken = await here.run(snapshot, 'web', '--name', 'before', '--stop');
    expect(taken.snapshots).toMatchObject([{ vm: 'web', name: 'before' }]);
    expect(sent()).toEqual([`POST ${WEB}/stop`, `POST ${WEB}/snapshots`, `POST ${WEB}/start`]);
    expect(provider.asked.find(({ url }) => url.endsWith('/snapshots'))?.body).toBe(
      '{"name":"before"}',
    );
  });

  test('that is refused leaves a VM that ran running', async () => {
    const honest = provider.answer;
    provider.answer = (request) => {
      if (request.method === 'POST' && request.path.endsWith('/snapshots'))
        throw new GolemError('unsupported');
      return honest(request);
    };
    const taken = here.run(snapshot, 'web', '--stop');
    await expect(taken).rejects.toMatchObject({ code: 'unsupported' });
    expect(sent().at(-1)).toBe(`POST ${WEB}/start`);
  });

  test('of a VM that is stopped leaves it so, and goes by the time', async () => {
    state = 'stopped';
    await here.run(snapshot, 'web', '--stop');
    expect(sent()).toEqual([`POST ${WEB}/snapshots`]);
    expect(provider.asked.map(({ body }) => body)).toContain('{"name":"s-19700101-000000"}');
  });

  test('is listed, deleted and brought back by its name', async () => {
    state = 'stopped';
    const { snapshots } = await here.run(snapshot, 'web', '--list');
    expect(snapshots).toEqual([
      { vm: 'web', name: 'before', createdAt: '2026-01-01T00:00:00.000Z' },
    ]);
    await here.run(snapshot, 'web', '--delete', 'before', '--yes');
    await here.run(restore, 'web', 'before', '--yes');
    expect(sent()).toEqual([
      `DELETE ${WEB}/snapshots/before`,
      `POST ${WEB}/snapshots/before/restore`,
    ]);
  });

  test('is neither brought back nor deleted where nobody agrees to lose it', async () => {
    state = 'stopped';
    for (const run of [
      () => here.run(restore, 'web', 'before'),
      () => here.run(snapshot, 'web', '--delete', 'before'),
    ]) {
      await expect(run()).rejects.toMatchObject({ code: 'usage' });
    }
    expect(sent()).toEqual([]);
  });

  test('that there is none of is said before anybody is asked', async () => {
    state = 'stopped';
    nobodyIsAsked();
    for (const run of [
      () => here.run(restore, 'web', 'after'),
      () => here.run(snapshot, 'web', '--delete', 'after'),
    ]) {
      await expect(run()).rejects.toMatchObject({
        ...{ code: 'not_found', message: "'web' has no snapshot called after." },
        hint: 'It has: before.',
      });
    }
    expect(sent()).toEqual([]);
  });

  test.each([
    [() => here.run(snapshot, 'web'), 'no snapshot can be taken of it'],
    [() => here.run(snapshot, 'web', '--delete', 'before'), 'its snapshots cannot be deleted'],
    [() => here.run(restore, 'web', 'before'), 'it cannot be restored'],
    [() => here.run(resize, 'web', '--cpu', '2'), 'it cannot be resized'],
  ])('of a VM that runs, or a size, needs --stop, and nobody is asked (%#)', async (run, why) => {
    nobodyIsAsked();
    await expect(run()).rejects.toMatchObject({
      ...{ code: 'wrong_state', message: `'web' is running: ${why}.` },
      hint: 'With --stop it is stopped for that, and started again.',
    });
    expect(sent()).toEqual([]);
  });

  test.each(['../x', '-x', 'A b'])('cannot be called %j', async (name) => {
    await expect(here.run(snapshot, 'web', `--name=${name}`)).rejects.toMatchObject({
      code: 'usage',
    });
    expect(sent()).toEqual([]);
  });
});

describe('another size', () => {
  beforeEach(() => {
    state = 'stopped';
  });

  const resized = () => provider.asked.find(({ url }) => url.endsWith('/resize'))?.body;

  test('changes what is said, for the price that was shown', async () => {
    await here.run(resize, 'web', '--memory', '2G', '--yes');
    expect(JSON.parse(resized() ?? '')).toEqual({
      resources: { cpus: 1, memoryMiB: 2048, storageGiB: 10 },
      maxHourlyPrice: 1_000_000,
    });
  });

  test('that costs more is agreed to, or not done', async () => {
    await expect(here.run(resize, 'web', '--cpu', '2')).rejects.toMatchObject({ code: 'usage' });
    const dear = here.run(resize, 'web', '--cpu', '2', '--max-price', '0.0015');
    await expect(dear).rejects.toMatchObject({ code: 'price_too_high' });
    await here.run(resize, 'web', '--cpu', '2', '--max-price', '0.002');
    expect(JSON.parse(resized() ?? '')).toMatchObject({ maxHourlyPrice: 2_000_000 });
    expect(sent()).toHaveLength(1);
  });

  test('that its provider has no room for is said before anybody is asked', async () => {
    nobodyIsAsked();
    await expect(
      here.run(resize, 'web', '--cpu', '6', '--memory', '10G', '--storage', '20'),
    ).rejects.toMatchObject({
      code: 'no_capacity',
      message: 'attic has no room for that: it has 4 CPUs and 8G of memory more.',
    });
    expect(sent()).toEqual([]);
  });

  test('has no smaller disk, and is not asked for if it is the same', async () => {
    await expect(here.run(resize, 'web', '--storage', '5')).rejects.toMatchObject({
      code: 'usage',
    });
    await here.run(resize, 'web', '--size', 'small');
    expect(here.notes).toEqual(['web: has this size already']);
    expect(sent()).toEqual([]);
  });
});

describe('info', () => {
  test('of a VM that cannot be asked about is what was last known', async () => {
    provider.network = () => failure(new GolemError('provider_offline'));
    provider.row = TestProvider.prototype.row.bind(provider, 1, false);
    await expect(here.run(info, 'web')).resolves.toMatchObject({
      ...{ state: 'unreachable', id: WEB, offlineSince: '2026-01-01T00:00:00.000Z' },
    });
    expect(here.notes.join()).toContain('what was last known');
  });

  test('has what the owner alone may know', async () => {
    const honest = provider.answer;
    provider.answer = (request) => {
      if (request.path.endsWith('/grants')) return { status: 200, body: { grants: [] } };
      if (!request.path.endsWith('/usage')) return honest(request);
      return { status: 200, body: { records: [], next: null, total: 7 } };
    };
    await expect(here.run(info, 'web')).resolves.toMatchObject({
      ...{ costNanoUsd: 7, sharedWith: [], user: 'golem', labels: {} },
    });
  });
});

describe('a purge', () => {
  test('destroys what is remembered, and what is not', async () => {
    const other = vmOf({ id: `vm_${'o'.repeat(20)}`, name: 'other' });
    const honest = provider.answer;
    provider.answer = (request) =>
      request.path.endsWith('/vms')
        ? { status: 200, body: { vms: [vmOf(), other], next: null } }
        : honest(request);
    const gone = await here.run(purge, '--yes');
    expect(gone.map(({ name }) => name)).toEqual(['web', 'other']);
    expect(sent()).toEqual([`DELETE ${WEB}`, `DELETE ${other.id}`]);
    expect(await here.context.book.all()).toEqual([]);
  });

  test('forgets what cannot be reached only by force', async () => {
    provider.network = () => failure(new GolemError('provider_offline'));
    await expect(here.run(purge, '--yes')).rejects.toMatchObject({ code: 'provider_offline' });
    expect(await here.context.book.all()).toHaveLength(1);
    await expect(here.run(purge, '--force', '--yes')).resolves.toEqual([]);
    expect(await here.context.book.all()).toEqual([]);
    expect(here.notes).toContain('web: forgotten');
  });

  test('does not call it done while somebody who may have more does not answer', async () => {
    await here.run(purge, '--yes');
    expect(await here.context.book.all()).toEqual([]);
    remember(provider);
    provider.network = () => failure(new GolemError('provider_offline'));
    await expect(here.run(purge, '--yes')).rejects.toMatchObject({
      code: 'provider_offline',
      message: `Unreachable: ${provider.id}.`,
    });
    await expect(here.run(purge, '--force', '--yes')).resolves.toEqual([]);
    expect(here.notes.at(-1)).toBe(
      `golem: ${provider.id} does not answer: what you may have there ends with its lease.`,
    );
  });

  test('needs somebody to agree', async () => {
    await expect(here.run(purge)).rejects.toMatchObject({ code: 'usage' });
    expect(sent()).toEqual([]);
  });
});
