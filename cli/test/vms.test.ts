/** What becomes of VMs that one has: list, info, stop, destroy. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { destroy } from '../src/commands/vm/destroy.ts';
import { info } from '../src/commands/vm/info.ts';
import { list } from '../src/commands/vm/list.ts';
import { stop } from '../src/commands/vm/power.ts';
import { renew } from '../src/commands/vm/renew.ts';
import { ssh } from '../src/commands/vm/ssh.ts';
import { vmDetails } from '../src/presenters/vms.ts';
import { contextOf, type TestContext } from './context.ts';
import { failure, OPERATION, pageOf, serve, server, TestProvider, vmOf } from './network.ts';

let provider: TestProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  provider.answer = ({ method, path }) => {
    if (method !== 'GET') {
      return { status: 202, body: { operation: OPERATION, vm: vmOf({ state: 'stopping' }) } };
    }
    if (path.includes('/operations/')) {
      const stopped = { n: 1, at: '2026-01-01T00:00:00.000Z', stage: 'stopped' } as const;
      return { status: 200, body: pageOf({ kind: 'stop', events: [stopped] }) };
    }
    return { status: 200, body: path.endsWith('/vms') ? { vms: [vmOf()], next: null } : vmOf() };
  };
  serve(provider);
  here = await contextOf();
  await here.context.book.put({ name: 'web', provider: provider.id, vm: vmOf(), sshKey: '/k' });
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const entry = () => here.context.book.get('web');
const gone = (code: 'vm_not_found' | 'vm_gone' = 'vm_not_found') => {
  provider.answer = () => {
    throw new GolemError(code, code === 'vm_gone' ? 'web was removed. It sent spam.' : undefined);
  };
};

describe('a list', () => {
  test('is what providers say now', async () => {
    const stopped = vmOf({ state: 'stopped' });
    provider.answer = () => ({ status: 200, body: { vms: [stopped], next: null } });
    await expect(here.run(list)).resolves.toMatchObject([{ name: 'web', state: 'stopped' }]);
    expect(await entry()).toMatchObject({ vm: { state: 'stopped' } });
  });

  test('keeps what cannot be asked about, and says so', async () => {
    provider.network = () => failure(new GolemError('provider_offline'));
    await expect(here.run(list)).resolves.toMatchObject([{ name: 'web', state: 'unreachable' }]);
    expect(await entry()).toBeDefined();
  });

  test('loses nothing to an answer that nobody signed', async () => {
    provider.network = () => Response.json({ vms: [], next: null });
    await expect(here.run(list)).resolves.toMatchObject([{ state: 'unreachable' }]);
    expect(await entry()).toBeDefined();
  });

  test('drops what its provider has signed not to have', async () => {
    provider.answer = () => ({ status: 200, body: { vms: [], next: null } });
    await expect(here.run(list)).resolves.toEqual([]);
    expect(await entry()).toBeUndefined();
  });

  test('follows pages', async () => {
    const other = vmOf({ id: `vm_${'b'.repeat(20)}`, name: 'db' });
    await here.context.book.put({ name: 'db', provider: provider.id, vm: other, sshKey: '/k' });
    let pages = 0;
    provider.answer = () => ({
      status: 200,
      body: (pages += 1) === 1 ? { vms: [vmOf()], next: 'more' } : { vms: [other], next: null },
    });
    const rows = await here.run(list);
    expect(rows.map(({ name, state }) => [name, state])).toEqual([
      ['db', 'running'],
      ['web', 'running'],
    ]);
  });

  test('asks nobody for what is cached', async () => {
    await expect(here.run(list, '--cached')).resolves.toMatchObject([{ state: 'running' }]);
    expect(provider.asked).toEqual([]);
  });
});

describe('a name', () => {
  test('may be the id, or enough of it', async () => {
    await expect(here.run(info, vmOf().id)).resolves.toMatchObject({ name: 'web' });
    await expect(here.run(info, vmOf().id.slice(0, 8))).resolves.toMatchObject({ name: 'web' });
  });

  test.each([
    ['wbe', 'Did you mean web?'],
    ['vm_a', "See what you have with 'golem vm list'."],
    ['../../etc/passwd', "See what you have with 'golem vm list'."],
    ['', "See what you have with 'golem vm list'."],
  ])('%j is none', async (reference, hint) => {
    const asked = here.run(info, '--', reference);
    await expect(asked).rejects.toMatchObject({ code: 'vm_not_found', hint });
    expect(provider.asked).toEqual([]);
  });

  test('of a VM that is being created cannot be gone into yet', async () => {
    const pending = { idempotencyKey: 'k', body: '{}' };
    await here.context.book.put({ name: 'new', provider: provider.id, sshKey: '/k', pending });
    await expect(here.run(ssh, 'new')).rejects.toMatchObject({ code: 'wrong_state' });
  });
});

test('stop waits until it has stopped', async () => {
  await here.run(stop, 'web');
  expect(here.stages).toEqual(['web: stopped (0.0s)']);
  expect(provider.asked[0]).toMatchObject({ method: 'POST' });
  expect(provider.asked[0]?.url).toMatch(new RegExp(`/vms/${vmOf().id}/stop$`));
});

describe('a renewal', () => {
  const leaseUntil = '2026-01-08T00:00:00.000Z';
  beforeEach(() => {
    provider.answer = () => ({ status: 200, body: { vm: vmOf({ leaseUntil }) } });
  });

  test('asks for so long from now on, and remembers what it got', async () => {
    await expect(here.run(renew, 'web', '--for', '7d')).resolves.toMatchObject([{ leaseUntil }]);
    expect(provider.asked[0]).toMatchObject({ method: 'POST', body: '{"seconds":604800}' });
    expect(provider.asked[0]?.url).toMatch(new RegExp(`/vms/${vmOf().id}/renew$`));
    expect(here.notes).toEqual([`web: yours until ${leaseUntil}`]);
    expect(await entry()).toMatchObject({ vm: { leaseUntil } });
  });

  test('leaves the time to the provider where none is said', async () => {
    await here.run(renew, 'web');
    expect(provider.asked[0]).toMatchObject({ body: '{}' });
    await expect(here.run(renew, 'web', '--for', 'ever')).rejects.toMatchObject({ code: 'usage' });
  });

  test('that leaves a longer lease as it is says so', async () => {
    await here.run(renew, 'web', '--for', '7d');
    await here.run(renew, 'web', '--for', '1h');
    expect(here.notes[1]).toBe(
      `web: yours until ${leaseUntil} as before: a renewal makes no lease shorter`,
    );
  });

  test('at a provider that stops its VMs sooner says when', async () => {
    const notice = { kind: 'drain' as const, at: '2026-01-02T00:00:00.000Z' };
    provider.answer = () => ({ status: 200, body: { vm: vmOf({ leaseUntil, notice }) } });
    await here.run(renew, 'web');
    expect(here.notes).toEqual([
      `web: yours until ${leaseUntil}, but its provider stops all VMs at ${notice.at}`,
    ]);
  });

  test.each(['1s', '999d'])('for %s is refused as it was typed, and asks nobody', async (time) => {
    await expect(here.run(renew, 'web', '--for', time)).rejects.toMatchObject({
      code: 'usage',
      message: '--for is a minute to 366 days.',
    });
    expect(provider.asked).toEqual([]);
  });
});

test('info says until when the VM is there, and what its provider has announced', async () => {
  const at = '2026-01-02T00:00:00.000Z';
  const vm = vmOf({ leaseUntil: at, notice: { kind: 'drain', at, reason: 'New cables.' } });
  provider.answer = () => ({ status: 200, body: vm });
  const shown = await here.run(info, 'web');
  const before = Date.parse(at) - 25.5 * 3_600_000;
  const facts = new Map(vmDetails(shown, before).facts);
  expect(facts.get('leased')).toBe(`until ${at} (in 1d1h)`);
  expect(new Map(vmDetails(shown, Date.parse(at)).facts).get('leased')).toBe(`until ${at}`);
  expect(facts.get('notice')).toContain(
    `the provider stops all its VMs at ${at}. It says: New cables.`,
  );
});

describe('destroy', () => {
  test('is not done where nobody can be asked, and nobody said yes', async () => {
    await expect(here.run(destroy, 'web')).rejects.toMatchObject({ code: 'usage' });
    expect(provider.asked).toEqual([]);
  });

  test('forgets the VM when its provider has', async () => {
    await expect(here.run(destroy, 'web', '--yes')).resolves.toMatchObject([{ name: 'web' }]);
    expect(await entry()).toBeUndefined();
    expect(provider.asked[0]?.method).toBe('DELETE');
  });

  test.each(['vm_not_found', 'vm_gone'] as const)(
    'of one that is gone already (%s) is what was wanted',
    async (code) => {
      gone(code);
      await here.run(destroy, 'web', '--yes');
      expect(here.notes).toEqual(['web: was gone already']);
      expect(await entry()).toBeUndefined();
    },
  );

  test.each([
    ['unsigned', () => failure(new GolemError('vm_not_found'))],
    ['from a provider that is offline', () => failure(new GolemError('provider_offline'))],
  ])('forgets nothing on an answer %s', async (_, network) => {
    provider.network = network;
    await expect(here.run(destroy, 'web', '--yes')).rejects.toBeInstanceOf(GolemError);
    expect(await entry()).toBeDefined();
  });

  test('asks about none if one of them is not there', async () => {
    await expect(here.run(destroy, 'web', 'nothing', '--yes')).rejects.toMatchObject({
      code: 'vm_not_found',
    });
    expect(provider.asked).toEqual([]);
  });
});

test('info says who put an end to a VM, and forgets it', async () => {
  gone('vm_gone');
  await expect(here.run(info, 'web')).rejects.toMatchObject({
    ...{ code: 'vm_gone', exitCode: 3, message: expect.stringContaining('spam') },
  });
  expect(await entry()).toBeUndefined();
});

test('info forgets what is gone, and says so', async () => {
  gone();
  await expect(here.run(info, 'web')).rejects.toMatchObject({ code: 'vm_not_found' });
  expect(await entry()).toBeUndefined();
});
