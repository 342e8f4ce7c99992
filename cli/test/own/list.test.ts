/** `golem vm list` with nothing at hand but the key, and with providers that do not answer. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateIdentity, generatePrivateJwk, openIdentity } from '@vm-on-golem/shared/keys';
import { ORDERED_LABEL } from '@vm-on-golem/shared/labels';
import type { Vm } from '@vm-on-golem/shared/vm';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findReady } from '../../src/commands/read/reference.ts';
import { accept } from '../../src/commands/vm/accept.ts';
import { list } from '../../src/commands/vm/list.ts';
import { namesFor } from '../../src/commands/work/adopt.ts';
import { targetOf } from '../../src/commands/work/target.ts';
import { pinnedHostKey } from '../../src/openssh/known-hosts.ts';
import { sshOptions } from '../../src/openssh/options.ts';
import { roster } from '../../src/commands/work/roster.ts';
import { render } from '../../src/presenters/render.ts';
import { paletteOf } from '../../src/presenters/colour.ts';
import { vmTable } from '../../src/presenters/vms.ts';
import { keyText } from '../../src/state/identity.ts';
import { contextOf, type TestContext } from '../context.ts';
import { orderedBy, remember } from './world.ts';
import { DISCOVERY, failure, HOST_KEY, serve, server, TestProvider, vmOf } from '../network.ts';

let attic: TestProvider;
let cellar: TestProvider;
let here: TestContext;
const id = (letter: string) => `vm_${letter.repeat(20)}`;
/** It lists what it likes. */
const says = (provider: TestProvider, ...vms: Vm[]) => {
  provider.answer = () => ({ status: 200, body: { vms, next: null } });
};
const ordered = async (provider: TestProvider, vm: Vm) =>
  orderedBy(await here.context.client.identity(), provider, vm);
/** It lists what this key has ordered there. */
const has = async (provider: TestProvider, ...vms: Vm[]) => {
  says(provider, ...(await Promise.all(vms.map((vm) => ordered(provider, vm)))));
};

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  [attic, cellar] = await Promise.all([
    TestProvider.create('attic'),
    TestProvider.create('cellar'),
  ]);
  serve(attic, cellar);
  remember(attic, cellar);
  says(attic);
  says(cellar);
  here = await contextOf();
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const seen = async () => (await here.run(list)).map((vm) => [vm.name, vm.state, vm.provider]);

describe('with the key alone', () => {
  test('all that providers have is found, remembered and pinned', async () => {
    await has(attic, vmOf());
    await has(cellar, vmOf({ id: id('b'), name: 'db', state: 'stopped' }));
    expect(await seen()).toEqual([
      ['db', 'stopped', cellar.id],
      ['web', 'running', attic.id],
    ]);
    expect(await here.context.book.get('db')).toMatchObject({
      ...{ provider: cellar.id, vm: { id: id('b') } },
      sshKey: join(here.folder, 'ssh', 'id_ed25519'),
    });
    expect((await readdir(join(here.folder, 'ssh', 'known_hosts'))).sort()).toEqual([
      `${id('a')}.${attic.id}`,
      `${id('b')}.${cellar.id}`,
    ]);
    const before = attic.asked.length;
    await rm(join(here.folder, 'vms'), { recursive: true });
    expect(await seen()).toHaveLength(2);
    expect(attic.asked.length).toBe(before + 1);
  });

  test('an id that two providers say is a VM of each, with its own host key and its own way in', async () => {
    const other = HOST_KEY.replace(/MDAw$/, 'MDAx');
    await has(attic, vmOf({ name: 'a', createdAt: '2020-01-01T00:00:00.000Z', hostKey: other }));
    await has(cellar, vmOf({ name: 'b' }));
    expect(await seen()).toEqual([
      ['a', 'running', attic.id],
      ['b', 'running', cellar.id],
    ]);
    expect(here.notes).toEqual([]);
    await expect(findReady(here.context, id('a'))).rejects.toMatchObject({ code: 'usage' });
    for (const [name, { id: provider }, hostKey] of [
      ['a', attic, other],
      ['b', cellar, HOST_KEY],
    ] as const) {
      const entry = await findReady(here.context, `${provider}/${id('a')}`);
      expect(entry.name).toBe(name);
      expect(await pinnedHostKey(here.context.paths, entry)).toBe(hostKey);
      const options = new Map(sshOptions(await targetOf(here.context, entry)));
      expect(options.get('HostKeyAlias')).toBe(`${id('a')}.${provider}`);
    }
  });

  test('names that several providers have are told apart, the same way every time', async () => {
    await has(attic, vmOf({ createdAt: '2026-01-02T00:00:00.000Z' }));
    await has(cellar, vmOf({ id: id('b'), createdAt: '2026-01-01T00:00:00.000Z' }));
    const named = ({ id: provider }: TestProvider) => `web-${provider.slice(3, 7)}`;
    const expected = [attic, cellar]
      .map((provider) => [named(provider), 'running', provider.id])
      .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
    expect(await seen()).toEqual(expected);
    expect(here.notes).toEqual(
      [cellar, attic].map((each) => `golem: 'web' at ${each.id} is ${named(each)} here.`),
    );
    expect(await seen()).toEqual(expected);
    await rm(join(here.folder, 'vms'), { recursive: true });
    expect(await seen()).toEqual(expected);
  });

  test('what somebody shares is shown, and not taken for our own', async () => {
    says(attic, vmOf({ sharedBy: `gr_${'c'.repeat(26)}` }));
    expect(await seen()).toHaveLength(1);
    expect(here.notes[0]).toContain('golem vm accept');
    expect(await here.context.book.all()).toEqual([]);
  });

  test('an entry that is damaged is made anew, and kept aside', async () => {
    await here.run(list);
    await here.context.book.claim('other', { name: 'other', provider: attic.id });
    const path = join(here.folder, 'vms', 'web.json');
    await writeFile(path, '{"name":');
    await has(attic, vmOf());
    expect(await seen()).toEqual([['web', 'running', attic.id]]);
    expect(here.notes).toContain(`golem: What was damaged is in ${path}.damaged now.`);
  });

  test('a service that remembers nothing is asked for its list', async () => {
    server.use(
      http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () =>
        failure(new GolemError('not_found')),
      ),
    );
    await has(cellar, vmOf());
    expect(await seen()).toEqual([['web', 'running', cellar.id]]);
    const before = attic.asked.length;
    expect(await seen()).toHaveLength(1);
    expect(attic.asked.length).toBe(before);
  });

  test('is no list when nobody can be asked', async () => {
    server.use(
      http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () => HttpResponse.error()),
    );
    await expect(here.run(list)).rejects.toMatchObject({ code: 'discovery_unreachable' });
  });
});

describe('a VM that nobody shows to have ordered', () => {
  const files = async () => {
    const names = await readdir(here.folder, { recursive: true });
    return names.filter((name) => /vm_|web/.test(name));
  };

  /** @returns what is listed, and whether anything was kept of it */
  async function listed() {
    const rows = await here.run(list);
    return { rows: rows.map(({ name, isUnknown }) => [name, isUnknown]), files: await files() };
  }

  test('is shown as such, under no name that anything takes, and nothing of it is kept', async () => {
    says(attic, vmOf());
    const rows = await here.run(list);
    expect(rows).toMatchObject([{ id: id('a'), provider: attic.id, isUnknown: true }]);
    expect(vmTable(rows).table?.rows[0]?.[0]).toBe('web?');
    expect(vmTable(rows)).toMatchObject({ ids: [], names: [] });
    expect(here.notes).toEqual([
      `golem: ${attic.id} lists 'web' as yours, and nothing proves that you ordered it.`,
      `If you did: golem vm accept ${attic.id}/${id('a')}`,
    ]);
    expect(await here.context.book.all()).toEqual([]);
    expect(await files()).toEqual([]);
  });

  test('is none whose lease one is told to renew by a name that another one may have', async () => {
    const leaseUntil = new Date(60_000).toISOString();
    says(attic, vmOf({ leaseUntil }));
    await here.run(list);
    expect(here.notes.filter((note) => note.includes('renew'))).toEqual([]);
    await has(attic, vmOf({ leaseUntil }));
    await here.run(list);
    expect(here.notes.filter((note) => note.includes('renew web'))).toHaveLength(1);
  });

  test('gets no name, whatever its age, next to one that was ordered', async () => {
    await has(cellar, vmOf({ id: id('b') }));
    says(attic, vmOf({ createdAt: '2020-01-01T00:00:00.000Z' }));
    expect((await listed()).rows).toEqual([
      ['web', false],
      ['web', true],
    ]);
    expect(await here.context.book.get('web')).toMatchObject({ provider: cellar.id });
  });

  test.each([
    ['of another provider', () => ordered(cellar, vmOf())],
    [
      'of another name',
      async () => ({ ...(await ordered(attic, vmOf({ name: 'db' }))), name: 'web' }),
    ],
    ['of another key', async () => orderedBy(await generateIdentity('requestor'), attic, vmOf())],
    ['without sense', async () => vmOf({ labels: { [ORDERED_LABEL]: 'x' } })],
  ])('has the mark of a VM %s', async (_what, vm) => {
    says(attic, await vm());
    expect(await listed()).toEqual({ rows: [['web', true]], files: [] });
  });

  test('may be the second one with a mark that was ordered once', async () => {
    const [vm, now] = [await ordered(attic, vmOf()), '2026-01-02T00:00:00.000Z'];
    says(attic, vm);
    await here.run(list);
    says(attic, vm, { ...vm, id: id('b'), createdAt: now });
    expect((await listed()).rows).toEqual([
      ['web', false],
      ['web', true],
    ]);
    await rm(join(here.folder, 'vms'), { recursive: true });
    expect((await listed()).rows).toEqual([
      ['web', false],
      ['web', true],
    ]);
  });

  test('is taken up by who says so, and is one of theirs from then on', async () => {
    says(attic, vmOf());
    const whole = attic.answer;
    attic.answer = (request) =>
      request.path.endsWith('/vms') ? whole(request) : { status: 200, body: vmOf() };
    await here.run(accept, `${attic.id}/${id('a')}`, '--name', 'mine');
    expect((await listed()).rows).toEqual([['mine', false]]);
  });

  test('is one of twenty that are shown, however many there are', async () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz'];
    says(attic, ...letters.map((letter) => vmOf({ id: id(letter), name: letter })));
    expect((await listed()).rows).toHaveLength(20);
    expect(here.notes.at(-1)).toBe('golem: 6 more of that kind are not shown.');
  });
});

test('what a key ordered before it was replaced is found with the next one', async () => {
  const { retired } = here.context.paths;
  const before = await generatePrivateJwk();
  await mkdir(retired, { recursive: true });
  await writeFile(join(retired, 'before.json'), keyText(before), { mode: 0o600 });
  says(attic, await orderedBy(await openIdentity('requestor', before), attic, vmOf()));
  expect(await seen()).toEqual([['web', 'running', attic.id]]);
  expect(await here.context.book.get('web')).toMatchObject({ provider: attic.id });
});

test.each([
  ['that turns in a circle', () => ({ vms: [], next: 'again' })],
  [
    'of more than anybody has',
    () => ({ vms: Array.from({ length: 501 }, () => vmOf()), next: 'more' }),
  ],
])('a list %s ends, and is not believed', async (_what, page) => {
  attic.answer = () => ({ status: 200, body: page() });
  const { client, signal } = here.context;
  await expect(client.vms.list(attic.id, { signal })).rejects.toMatchObject({ code: 'internal' });
  expect(attic.asked.length).toBeLessThanOrEqual(51);
});

describe('a provider that does not answer', () => {
  const silent = () => new Promise<never>(() => undefined);

  test('holds up nobody else, and its VMs are shown as they were', async () => {
    await has(attic, vmOf());
    await has(cellar, vmOf({ id: id('b'), name: 'db' }));
    await here.run(list);
    cellar.network = silent;
    const rows = await roster(here.context, 300);
    expect(rows.map(({ name, state }) => [name, state])).toEqual([
      ['db', 'unreachable'],
      ['web', 'running'],
    ]);
    expect(rows[0]?.seenAt).toMatch(/^20/);
    const shown = render(vmTable(rows), { format: 'tsv', quiet: false, palette: paletteOf() });
    expect(shown.split('\n')[1]?.split('\t').slice(0, 3)).toEqual([
      ...['db', 'unreachable', rows[0]?.seenAt],
    ]);
  });

  test('that was never asked before is named', async () => {
    await has(attic, vmOf());
    cellar.network = silent;
    expect(await roster(here.context, 300)).toHaveLength(1);
    expect(here.notes).toEqual([
      `golem: ${cellar.id} does not answer: VMs that you may have there are not shown.`,
    ]);
  });
});

test('another host key than before is not believed, and keeps nobody from the rest', async () => {
  await has(attic, vmOf());
  await has(cellar, vmOf({ id: id('b'), name: 'db' }));
  await here.run(list);
  await has(attic, vmOf({ hostKey: HOST_KEY.replace(/MDAw$/, 'MDAx') }));
  expect(await seen()).toHaveLength(2);
  expect(here.notes.join('\n')).toContain("another host key for 'web'");
  expect(await here.context.book.get('web')).toMatchObject({ vm: { hostKey: HOST_KEY } });
});

test('names stay names, however long', () => {
  const name = `a${'-b'.repeat(19)}c`;
  const provider = `gp_${'x'.repeat(26)}`;
  const names = [...namesFor({ provider, vm: vmOf({ name }) })];
  expect(new Set(names).size).toBe(4);
  for (const each of names) expect(each).toMatch(/^[a-z](?:[a-z0-9-]*[a-z0-9])?$/);
  expect(Math.max(...names.map((each) => each.length))).toBeLessThanOrEqual(40);
});

describe('what is listed', () => {
  const at = (hours: number) => new Date(hours * 3_600_000).toISOString();

  test('is only what has all of the labels', async () => {
    await has(
      attic,
      vmOf({ labels: { kind: 'ci', stage: 'one' } }),
      vmOf({ id: id('b'), name: 'db', labels: { kind: 'ci' } }),
      vmOf({ id: id('c'), name: 'plain' }),
    );
    const named = async (...words: string[]) =>
      (await here.run(list, ...words)).map(({ name }) => name);
    expect(await named('--label', 'kind=ci')).toEqual(['db', 'web']);
    expect(await named('--label', 'kind=ci', '--label', 'stage=one')).toEqual(['web']);
    expect(await named('--cached', '--label', 'kind=ci')).toEqual(['db', 'web']);
    expect(await named('--label', 'kind=other')).toEqual([]);
    await expect(here.run(list, '--label', 'kind')).rejects.toMatchObject({ code: 'usage' });
  });

  test('says when it ends, and warns of a lease that is nearly over', async () => {
    await has(
      attic,
      vmOf({ leaseUntil: at(0.5) }),
      vmOf({ id: id('b'), name: 'db', leaseUntil: at(26) }),
      vmOf({ id: id('c'), name: 'job', leaseUntil: at(24), destroyAt: at(0.75) }),
    );
    const listed = await here.run(list);
    expect(here.notes).toEqual(['golem: the lease of web ends in 30m: golem vm renew web']);
    const { columns = [], rows = [] } = vmTable(listed, 0).table ?? {};
    const ends = columns.findIndex(({ title }) => title === 'ENDS IN');
    expect(rows.map((row) => [row[0], row[ends]])).toEqual([
      ['db', '1d2h'],
      ['job', '45m'],
      ['web', '30m'],
    ]);
    const later = vmTable(listed, 2 * 3_600_000).table?.rows ?? [];
    expect(later.map((row) => row[ends])).toEqual(['1d', 'over', 'over']);
  });
});
