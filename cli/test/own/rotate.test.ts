/** A new key for all VMs: with providers that are there, that are not, and with kills in between. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generatePrivateJwk } from '@vm-on-golem/shared/keys';
import { http } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rotate } from '../../src/commands/key/rotate.ts';
import { show } from '../../src/commands/key/show.ts';
import { list } from '../../src/commands/vm/list.ts';
import { succeed } from '../../src/commands/work/succession.ts';
import { keyText, loadIdentity, loadKey } from '../../src/state/identity.ts';
import { beginRotation, readRotation, resumeRotation } from '../../src/state/rotation.ts';
import { ownSshKey } from '../../src/state/ssh-keys.ts';
import type { TestContext } from '../context.ts';
import { DISCOVERY, failure, pass, serve, server, vmOf } from '../network.ts';
import { orderedBy, OwnedProvider, personOf, remember } from './world.ts';

let attic: OwnedProvider;
let cellar: OwnedProvider;
let here: TestContext;
const DB = vmOf({ id: `vm_${'b'.repeat(20)}`, name: 'db' });
const goOffline = () =>
  server.use(
    http.all(`${DISCOVERY}/v1/providers/${cellar.id}/*`, () =>
      failure(new GolemError('provider_offline')),
    ),
  );
const comeBack = () => {
  server.resetHandlers();
  serve(attic, cellar);
  remember(attic, cellar);
};

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  here = await personOf();
  [attic, cellar] = await Promise.all([
    OwnedProvider.create('attic'),
    OwnedProvider.create('cellar'),
  ]);
  serve(attic, cellar);
  remember(attic, cellar);
  const identity = await loadIdentity(here.context.paths.key);
  attic.vms.set(identity.publicKey, [await orderedBy(identity, attic, vmOf())]);
  cellar.vms.set(identity.publicKey, [await orderedBy(identity, cellar, DB)]);
  await here.run(list);
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const publicKey = async () => (await loadKey(here.context.paths.key)).x;
const files = async () => (await readdir(here.folder)).filter((name) => name.endsWith('.json'));

test('is not begun where nobody agrees, and gone on with without a question', async () => {
  const { context } = here;
  const questions: string[] = [];
  Object.assign(context, {
    confirm: async (question: string) => {
      questions.push(question);
      return false;
    },
  });
  const before = await publicKey();
  await expect(here.run(rotate)).rejects.toMatchObject({ message: 'Nothing was done.' });
  expect(questions).toEqual([expect.stringContaining((await loadIdentity(context.paths.key)).id)]);
  expect(await publicKey()).toBe(before);
  expect(readRotation(context.paths)).toBeUndefined();
  goOffline();
  await here.run(rotate, '--yes');
  comeBack();
  await expect(here.run(rotate)).resolves.toMatchObject({ waitingFor: [] });
  expect(questions).toHaveLength(1);
});

describe('a rotation', () => {
  test('gives all VMs to a new key, and keeps the old one', async () => {
    const before = await loadIdentity(here.context.paths.key);
    const sshKey = await ownSshKey(here.context.paths);
    const rotated = await here.run(rotate, '--yes');
    const after = await loadIdentity(here.context.paths.key);
    expect(after.id).not.toBe(before.id);
    expect(rotated).toEqual({
      ...{ requestor: after.id, previous: before.id, waitingFor: [] },
      moved: expect.arrayContaining([attic.id, cellar.id]) as string[],
      // These providers have nothing that could be gone into.
      withoutSshKey: ['db', 'web'].map((name) => ({ name, why: expect.any(String) as string })),
    });
    expect([...attic.vms, ...cellar.vms].map(([owner]) => owner)).toEqual([
      ...[after.publicKey, after.publicKey],
    ]);
    expect(await files()).toEqual(['key.json']);
    expect(await readdir(join(here.folder, 'retired'))).toEqual([`${before.id}.json`]);
    expect((await ownSshKey(here.context.paths)).publicKey).not.toBe(sshKey.publicKey);
  });

  test('leaves what the key before it ordered to be found with nothing else at hand', async () => {
    await here.run(rotate, '--yes');
    await rm(here.context.paths.vms, { recursive: true });
    expect((await here.run(list)).map(({ name, isUnknown }) => [name, isUnknown])).toEqual([
      ['db', false],
      ['web', false],
    ]);
  });

  test('waits for who is offline, forgets nothing there, and goes on when they are back', async () => {
    goOffline();
    const rotated = await here.run(rotate, '--yes');
    expect(rotated).toMatchObject({ moved: [attic.id], waitingFor: [{ provider: cellar.id }] });
    expect(rotate.exitCode?.(rotated)).toBe(7);
    expect(await here.run(show)).toMatchObject({ rotation: { waitingFor: [cellar.id] } });

    // It is there again, and knows the new key not yet: its signed word forgets nothing.
    comeBack();
    const names = async () => (await here.run(list)).map(({ name }) => name);
    expect(await names()).toEqual(['web']);
    expect(await here.context.book.get('db')).toBeDefined();

    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({
      moved: [cellar.id],
      waitingFor: [],
    });
    expect([...cellar.vms.keys()]).toEqual([await publicKey()]);
    expect(await names()).toEqual(['db', 'web']);
    expect(await files()).toEqual(['key.json']);
  });

  test('is begun once, however often it is asked for', async () => {
    goOffline();
    const first = await here.run(rotate, '--yes');
    const second = await here.run(rotate, '--yes');
    expect(second.requestor).toBe(first.requestor);
    expect(second.previous).toBe(first.previous);
  });

  test('is finished when an answer was lost', async () => {
    cellar.network = () => failure(new GolemError('provider_offline'));
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({
      waitingFor: [{ provider: cellar.id }],
    });
    cellar.network = pass;
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({ waitingFor: [] });
    expect(cellar.vms.get(await publicKey())).toMatchObject([DB]);
  });

  test('can be ended without who never comes back, whose VMs stay with the old key', async () => {
    goOffline();
    const previous = await loadKey(here.context.paths.key);
    await here.run(rotate, '--yes');
    await expect(here.run(rotate, '--yes', '--give-up', cellar.id)).resolves.toMatchObject({
      waitingFor: [],
    });
    expect(await files()).toEqual(['key.json']);
    const [kept = ''] = await readdir(join(here.folder, 'retired'));
    expect(await readFile(join(here.folder, 'retired', kept), 'utf8')).toBe(keyText(previous));
  });

  test('is not begun while nobody says where VMs may be', async () => {
    server.use(
      http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () =>
        failure(new GolemError('internal')),
      ),
    );
    const before = await publicKey();
    await expect(here.run(rotate, '--yes')).rejects.toMatchObject({ code: 'internal' });
    expect(await publicKey()).toBe(before);
    expect(await files()).toEqual(['key.json']);
  });
});

describe('a kill', () => {
  const rotation = async () => ({
    previous: await loadKey(here.context.paths.key),
    next: await generatePrivateJwk(),
    pending: [attic, cellar].map(({ id }) => ({ provider: id, discovery: DISCOVERY })),
    settled: [],
    startedAt: '2026-01-01T00:00:00.000Z',
  });

  test('before the new key was taken: the next command takes it', async () => {
    const { paths } = here.context;
    const begun = await rotation();
    await beginRotation(paths, begun);
    await writeFile(paths.key, keyText(begun.previous), { mode: 0o600 });
    await here.run(rotate, '--yes');
    expect(await publicKey()).toBe(begun.next.x);
    expect([...attic.vms.keys(), ...cellar.vms.keys()]).toEqual([begun.next.x, begun.next.x]);
  });

  test('after a provider agreed, and before that was written down: it is asked again', async () => {
    const { context } = here;
    const begun = await rotation();
    await beginRotation(context.paths, begun);
    const text = await readFile(context.paths.rotation, 'utf8');
    await succeed(context, begun, { deadlineMillis: 5_000 });
    await writeFile(context.paths.rotation, text, { mode: 0o600 });
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({ waitingFor: [] });
    expect(attic.vms.get(begun.next.x)).toMatchObject([vmOf()]);
    expect(await files()).toEqual(['key.json']);
  });

  test('never leaves a key that is in no file', async () => {
    const { paths } = here.context;
    const begun = await rotation();
    await beginRotation(paths, begun);
    expect(readRotation(paths)).toMatchObject({ previous: begun.previous, next: begun.next });
    await rm(paths.key);
    await resumeRotation(paths);
    expect(await publicKey()).toBe(begun.next.x);
  });

  test('and another key in its place: neither is written over', async () => {
    const { paths } = here.context;
    await beginRotation(paths, await rotation());
    const other = keyText(await generatePrivateJwk());
    await writeFile(paths.key, other, { mode: 0o600 });
    await expect(here.run(rotate, '--yes')).rejects.toMatchObject({ code: 'wrong_state' });
    expect(await readFile(paths.key, 'utf8')).toBe(other);
  });

  test.each(['', '{', '{"version":1}'])('and a file that is damaged is kept: %j', async (text) => {
    const { paths } = here.context;
    await writeFile(paths.rotation, text, { mode: 0o600 });
    await expect(here.run(rotate, '--yes')).rejects.toMatchObject({ code: 'internal' });
    expect(await readFile(paths.rotation, 'utf8')).toBe(text);
  });
});
