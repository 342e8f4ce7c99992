/** A key that is replaced while others use it: two terminals, several contexts, strangers. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generatePrivateJwk } from '@vm-on-golem/shared/keys';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { restore } from '../../src/commands/key/restore.ts';
import { rotate } from '../../src/commands/key/rotate.ts';
import { succeed } from '../../src/commands/work/succession.ts';
import { backupText } from '../../src/state/backup.ts';
import { VmBook } from '../../src/state/book.ts';
import { changeConfig } from '../../src/state/config.ts';
import { openHome } from '../../src/state/home.ts';
import { keyText, loadIdentity, loadKey } from '../../src/state/identity.ts';
import { isReplaced } from '../../src/state/moving.ts';
import { beginRotation, isDue, markMoved, readRotation } from '../../src/state/rotation.ts';
import type { TestContext } from '../context.ts';
import { DISCOVERY, failure, serve, serveAt, server, vmOf } from '../network.ts';
import { OwnedProvider, personOf, remember } from './world.ts';

const WORK = 'https://work.test';
const STARTED = '2026-01-01T00:00:00.000Z';
const ORDER = { idempotencyKey: 'order-number-1', body: '{}' };
const OPERATION = `op_${'o'.repeat(20)}`;

let attic: OwnedProvider;
let barn: OwnedProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  here = await personOf();
  [attic, barn] = await Promise.all([OwnedProvider.create('attic'), OwnedProvider.create('barn')]);
  serve(attic, barn);
  const { publicKey } = await loadIdentity(here.context.paths.key);
  attic.vms.set(publicKey, [vmOf()]);
  barn.vms.set(publicKey, [vmOf({ id: `vm_${'b'.repeat(20)}`, name: 'db' })]);
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const keyHere = () => loadKey(here.context.paths.key);
const files = async () => (await readdir(here.folder)).filter((name) => name.endsWith('.json'));

/** Another terminal rotates, from beginning to end. @returns its new key */
async function rotateElsewhere() {
  const { paths } = here.context;
  const next = await generatePrivateJwk();
  const rotation = { previous: await keyHere(), next, pending: [], settled: [] };
  await beginRotation(paths, { ...rotation, startedAt: STARTED });
  await markMoved(paths, []);
  return next;
}

/** Something happens while discovery is asked where VMs may be. */
function whileAsked(discovery: string, happens: () => Promise<unknown>) {
  server.use(
    http.get(`${discovery}/v1/requestors/:requestor/providers`, async () => {
      await happens();
      return HttpResponse.json({ providers: [], next: null });
    }),
  );
}

describe('two terminals', () => {
  test('that rotate at once: the second one takes nothing away from the first', async () => {
    let next: unknown;
    whileAsked(DISCOVERY, async () => {
      next = await rotateElsewhere();
    });
    await expect(here.run(rotate, '--yes')).rejects.toMatchObject({ code: 'wrong_state' });
    expect(next).toBeDefined();
    expect(await keyHere()).toEqual(next);
    expect(await files()).toEqual(['key.json']);
  });

  test('of which one restores while the other rotates: no key is written over', async () => {
    const file = join(here.folder, 'backup');
    const content = { createdAt: STARTED, discovery: DISCOVERY, retired: [], vms: [] };
    const text = await backupText({ ...content, key: await generatePrivateJwk() }, undefined);
    await writeFile(file, text);
    let next: unknown;
    const confirm = async () => {
      next = await rotateElsewhere();
      return true;
    };
    Object.assign(here.context, { confirm });
    await expect(here.run(restore, file)).rejects.toMatchObject({ code: 'wrong_state' });
    expect(next).toBeDefined();
    expect(await keyHere()).toEqual(next);
  });

  test('of which one rents with the key that the other replaces: it orders and forgets nothing', async () => {
    const { paths } = here.context;
    const used = await keyHere();
    const book = new VmBook(paths.vms, { isReplaced: isReplaced(paths, () => used.x) });
    const rental = { name: 'web', provider: attic.id };
    await book.claim('old', { ...rental, name: 'old', pending: ORDER });
    await rotateElsewhere();
    const late = book.claim('late', { ...rental, name: 'late', pending: ORDER });
    await expect(late).rejects.toMatchObject({ code: 'wrong_state' });
    await book.remove('old');
    expect((await book.all()).map(({ name }) => name)).toEqual(['old']);
  });

  test('of which one rents while the other begins: the provider is asked as well', async () => {
    const { book } = here.context;
    const pending = { ...ORDER, operation: OPERATION };
    whileAsked(DISCOVERY, () => book.claim('db', { name: 'db', provider: barn.id, pending }));
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({ moved: [barn.id] });
    expect([...barn.vms.keys()]).toEqual([(await keyHere()).x]);
  });

  test('and a VM that is ordered after the list was made: it is added, and waited for', async () => {
    const { context } = here;
    const previous = await keyHere();
    const next = await generatePrivateJwk();
    const rotation = { previous, next, pending: [], settled: [], startedAt: STARTED };
    await context.book.claim('db', { name: 'db', provider: barn.id, pending: ORDER });
    await beginRotation(context.paths, { ...rotation, pending: [reached(attic.id)] });
    const first = await succeed(context, rotation, { deadlineMillis: 5_000 });
    expect(first).toMatchObject({ moved: [attic.id], waitingFor: [{ provider: barn.id }] });
    // The order has arrived after all, and then that is known.
    barn.vms.set(previous.x, [vmOf({ name: 'db' })]);
    await context.book.update('db', undefined, (now) => ({
      ...now,
      pending: { ...ORDER, operation: OPERATION },
    }));
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({
      moved: [barn.id],
      waitingFor: [],
    });
    expect(barn.vms.get(next.x)).toHaveLength(2);
    expect(await files()).toEqual(['key.json']);
  });
});

const reached = (provider: string, discovery = DISCOVERY) => ({ provider, discovery });

describe('contexts with one key', () => {
  const addWork = async (ownKey = false) => {
    await changeConfig(here.context.paths.config, (now) => ({
      ...now,
      contexts: { work: { discovery: WORK, ...(ownKey ? { ownKey } : {}) } },
    }));
    const env = { GOLEM_HOME: here.folder, GOLEM_DISCOVERY: DISCOVERY };
    Object.assign(here.context, { home: openHome(env) });
    return new VmBook(here.context.home.pathsIn('work').vms, { discovery: WORK });
  };
  beforeEach(() => {
    server.resetHandlers();
    serve(attic);
    serveAt(WORK, barn);
  });

  test('VMs of all of them are moved, each by the service that reaches it', async () => {
    const work = await addWork();
    await here.context.book.claim('web', { name: 'web', provider: attic.id, vm: vmOf() });
    await work.claim('db', { name: 'db', provider: barn.id });
    const { moved, waitingFor } = await here.run(rotate, '--yes');
    expect(waitingFor).toEqual([]);
    expect(moved.toSorted()).toEqual([attic.id, barn.id].toSorted());
    const { x } = await keyHere();
    expect([...attic.vms.keys(), ...barn.vms.keys()]).toEqual([x, x]);
  });

  test('also those that only the service of the other context knows', async () => {
    await addWork();
    server.use(
      http.get(`${WORK}/v1/requestors/:requestor/providers`, () =>
        HttpResponse.json({ providers: [{ provider: barn.id, seenAt: STARTED }], next: null }),
      ),
    );
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({ moved: [barn.id] });
  });

  test('an entry of a service that is not set any more is asked through that one', async () => {
    await here.context.book.claim('db', { name: 'db', provider: barn.id, discovery: WORK });
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({
      moved: [barn.id],
      waitingFor: [],
    });
  });

  test('nothing is changed while the other service does not say where VMs are', async () => {
    await addWork();
    server.use(
      http.get(`${WORK}/v1/requestors/:requestor/providers`, () =>
        failure(new GolemError('internal')),
      ),
    );
    const before = await keyHere();
    await expect(here.run(rotate, '--yes')).rejects.toMatchObject({
      message: expect.stringContaining(WORK) as string,
    });
    expect(await keyHere()).toEqual(before);
  });

  test('one with a key of its own is left alone', async () => {
    const work = await addWork(true);
    await work.claim('db', { name: 'db', provider: barn.id });
    await here.run(rotate, '--yes');
    expect(barn.asked).toEqual([]);
  });
});

describe('a stranger of whom only discovery speaks, and who never answers', () => {
  let stranger: OwnedProvider;
  beforeEach(async () => {
    stranger = await OwnedProvider.create('stranger');
    remember(attic, stranger);
    await here.context.book.claim('web', { name: 'web', provider: attic.id, vm: vmOf() });
  });

  test('is no reason to call the rotation unfinished, and can be given up alone', async () => {
    const rotated = await here.run(rotate, '--yes');
    expect(rotated).toMatchObject({
      ...{ moved: [attic.id], waitingFor: [{ provider: stranger.id, isHearsay: true }] },
    });
    expect(rotate.exitCode?.(rotated)).toBe(0);
    const nobody = here.run(rotate, '--yes', '--give-up', attic.id);
    await expect(nobody).rejects.toMatchObject({ code: 'not_found' });
    await here.run(rotate, '--yes', '--give-up', stranger.id.slice(0, 10));
    expect(await files()).toEqual(['key.json']);
    const idle = here.run(rotate, '--yes', '--give-up', stranger.id);
    await expect(idle).rejects.toMatchObject({ code: 'wrong_state' });
  });

  test('keeps the next commands waiting once in a while only', async () => {
    const { context } = here;
    await here.run(rotate, '--yes');
    let asked = 0;
    server.use(
      http.all(`${DISCOVERY}/v1/providers/${stranger.id}/*`, () => {
        asked += 1;
        return failure(new GolemError('provider_offline'));
      }),
    );
    const byTheWay = async (now: number) => {
      const rotation = readRotation(context.paths);
      if (!rotation) throw new Error('it has ended');
      const how = { deadlineMillis: 5_000, isByTheWay: true };
      return succeed({ ...context, now: () => now }, rotation, how);
    };
    await byTheWay(299_999);
    expect(asked).toBe(0);
    await byTheWay(300_000);
    expect(asked).toBeGreaterThan(0);
  });
});

test.each([
  ['one that was never asked', {}, true],
  ['one with a VM, two times', { failures: 2, askedAt: STARTED }, true],
  ['one with a VM, three times', { failures: 3, askedAt: STARTED }, false],
  ['hearsay, once', { failures: 1, askedAt: STARTED, isHearsay: true }, false],
])('asked again at once: %s', (_, state, isAsked) => {
  const one = { ...reached(`gp_${'a'.repeat(26)}`), ...state };
  expect(isDue(one, Date.parse(STARTED) + 1)).toBe(isAsked);
  expect(isDue(one, Date.parse(STARTED) + 300_000)).toBe(true);
  expect(isDue(one, Date.parse(STARTED) - 1)).toBe(true);
});

test('the previous key is among the retired ones, as it was', async () => {
  const before = await loadIdentity(here.context.paths.key);
  const previous = await keyHere();
  await rotateElsewhere();
  const kept = await readFile(join(here.folder, 'retired', `${before.id}.json`), 'utf8');
  expect(kept).toBe(keyText(previous));
});
