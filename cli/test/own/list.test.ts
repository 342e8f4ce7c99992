/** `golem vm list` with nothing at hand but the key, and with providers that do not answer. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { list } from '../../src/commands/vm/list.ts';
import { namesFor } from '../../src/commands/work/adopt.ts';
import { roster } from '../../src/commands/work/roster.ts';
import { render } from '../../src/presenters/render.ts';
import { paletteOf } from '../../src/presenters/colour.ts';
import { vmTable } from '../../src/presenters/vms.ts';
import { contextOf, type TestContext } from '../context.ts';
import { remember } from './world.ts';
import { DISCOVERY, failure, HOST_KEY, serve, server, TestProvider, vmOf } from '../network.ts';

let attic: TestProvider;
let cellar: TestProvider;
let here: TestContext;
const id = (letter: string) => `vm_${letter.repeat(20)}`;
const has = (provider: TestProvider, ...vms: ReturnType<typeof vmOf>[]) => {
  provider.answer = () => ({ status: 200, body: { vms, next: null } });
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
  has(attic);
  has(cellar);
  here = await contextOf();
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const seen = async () => (await here.run(list)).map((vm) => [vm.name, vm.state, vm.provider]);

describe('with the key alone', () => {
  test('all that providers have is found, remembered and pinned', async () => {
    has(attic, vmOf());
    has(cellar, vmOf({ id: id('b'), name: 'db', state: 'stopped' }));
    expect(await seen()).toEqual([
      ['db', 'stopped', cellar.id],
      ['web', 'running', attic.id],
    ]);
    expect(await here.context.book.get('db')).toMatchObject({
      ...{ provider: cellar.id, vm: { id: id('b') } },
      sshKey: join(here.folder, 'ssh', 'id_ed25519'),
    });
    expect((await readdir(join(here.folder, 'ssh', 'known_hosts'))).sort()).toEqual([
      id('a'),
      id('b'),
    ]);
    const before = attic.asked.length;
    await rm(join(here.folder, 'vms'), { recursive: true });
    expect(await seen()).toHaveLength(2);
    expect(attic.asked.length).toBe(before + 1);
  });

  test('names that several providers have are told apart, the same way every time', async () => {
    has(attic, vmOf({ createdAt: '2026-01-02T00:00:00.000Z' }));
    has(cellar, vmOf({ id: id('b'), createdAt: '2026-01-01T00:00:00.000Z' }));
    const other = `web-${attic.id.slice(3, 7)}`;
    const expected = [
      ['web', 'running', cellar.id],
      [other, 'running', attic.id],
    ];
    expect(await seen()).toEqual(expected);
    expect(here.notes).toEqual([`golem: 'web' at ${attic.id} is ${other} here.`]);
    expect(await seen()).toEqual(expected);
    await rm(join(here.folder, 'vms'), { recursive: true });
    expect(await seen()).toEqual(expected);
  });

  test('what somebody shares is shown, and not taken for our own', async () => {
    has(attic, vmOf({ sharedBy: `gr_${'c'.repeat(26)}` }));
    expect(await seen()).toHaveLength(1);
    expect(here.notes[0]).toContain('golem vm accept');
    expect(await here.context.book.all()).toEqual([]);
  });

  test('an entry that is damaged is made anew, and kept aside', async () => {
    await here.run(list);
    await here.context.book.claim('other', { name: 'other', provider: attic.id });
    const path = join(here.folder, 'vms', 'web.json');
    await writeFile(path, '{"name":');
    has(attic, vmOf());
    expect(await seen()).toEqual([['web', 'running', attic.id]]);
    expect(here.notes).toContain(`golem: What was damaged is in ${path}.damaged now.`);
  });

  test('a service that remembers nothing is asked for its list', async () => {
    server.use(
      http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () =>
        failure(new GolemError('not_found')),
      ),
    );
    has(cellar, vmOf());
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

describe('a provider that does not answer', () => {
  const silent = () => new Promise<never>(() => undefined);

  test('holds up nobody else, and its VMs are shown as they were', async () => {
    has(attic, vmOf());
    has(cellar, vmOf({ id: id('b'), name: 'db' }));
    await here.run(list);
    cellar.network = silent;
    const rows = await roster(here.context, 300);
    expect(rows.map(({ name, state }) => [name, state])).toEqual([
      ['db', 'unreachable'],
      ['web', 'running'],
    ]);
    expect(rows[0]?.seenAt).toMatch(/^20/);
    const shown = render(vmTable(rows), { format: 'tsv', quiet: false, palette: paletteOf(false) });
    expect(shown.split('\n')[1]?.split('\t').slice(0, 3)).toEqual([
      ...['db', 'unreachable', rows[0]?.seenAt],
    ]);
  });

  test('that was never asked before is named', async () => {
    has(attic, vmOf());
    cellar.network = silent;
    expect(await roster(here.context, 300)).toHaveLength(1);
    expect(here.notes).toEqual([
      `golem: ${cellar.id} does not answer: VMs that you may have there are not shown.`,
    ]);
  });
});

test('another host key than before is not believed, and keeps nobody from the rest', async () => {
  has(attic, vmOf());
  has(cellar, vmOf({ id: id('b'), name: 'db' }));
  await here.run(list);
  has(attic, vmOf({ hostKey: HOST_KEY.replace(/MDAw$/, 'MDAx') }));
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
