/** The SSH key belongs to the key: what becomes of it, and of guests that know the one before, in a rotation. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generatePrivateJwk, openIdentity } from '@vm-on-golem/shared/keys';
import { opensshPublicKey } from '@vm-on-golem/shared/openssh';
import { http, passthrough } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/key/backup.ts';
import { restore } from '../../src/commands/key/restore.ts';
import { rotate } from '../../src/commands/key/rotate.ts';
import { list } from '../../src/commands/vm/list.ts';
import { refreshHosts } from '../../src/commands/work/hosts.ts';
import { replaceSshKey } from '../../src/commands/work/ssh-succession.ts';
import { ownConfigFile } from '../../src/openssh/installed.ts';
import { VmBook } from '../../src/state/book.ts';
import { changeConfig } from '../../src/state/config.ts';
import { openHome } from '../../src/state/home.ts';
import { loadIdentity, loadKey } from '../../src/state/identity.ts';
import { keptSshKeyFile } from '../../src/state/ssh-key-file.ts';
import { derivedSshKey, ownSshKey } from '../../src/state/ssh-keys.ts';
import { startGuest, type GuestServer } from '../guest/server.ts';
import { DISCOVERY, serve, server, vmOf } from '../network.ts';
import type { TestContext } from '../context.ts';
import { orderedBy, OwnedProvider, personOf, remember } from './world.ts';

let attic: OwnedProvider;
let here: TestContext;
let guest: GuestServer;
let before: { readonly file: string; readonly publicKey: string };
let kept: string;
let state: 'running' | 'stopped';

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  here = await personOf();
  state = 'running';
  const { paths } = here.context;
  const identity = await loadIdentity(paths.key);
  before = await ownSshKey(paths);
  kept = keptSshKeyFile(paths, identity.id);
  const home = join(here.folder, 'guest');
  await mkdir(home);
  guest = await startGuest({ authorized: [before.publicKey], home });
  attic = await OwnedProvider.create('attic');
  serve(attic);
  remember(attic);
  server.use(http.get('http://127.0.0.1:*/*', () => passthrough()));
  const vm = await orderedBy(identity, attic, vmOf({ hostKey: guest.hostKey, user: 'root' }));
  attic.vms.set(identity.publicKey, [vm]);
  const whole = attic.answer;
  attic.answer = (asked) =>
    asked.path.endsWith(vm.id) ? { status: 200, body: { ...vm, state } } : whole(asked);
  const { openClient } = here.context;
  Object.assign(here.context, {
    openClient: async (...how: Parameters<typeof openClient>) =>
      Object.assign(await openClient(...how), {
        sshUpgrade: async () => ({ url: guest.url, headers: {} }),
      }),
  });
  await here.run(list);
});
afterEach(async () => {
  server.resetHandlers();
  await guest[Symbol.asyncDispose]();
  await here[Symbol.asyncDispose]();
});

const entry = (name = 'web') => here.context.book.get(name);
const authorized = () => readFile(join(here.folder, 'guest', '.ssh', 'authorized_keys'), 'utf8');
const publicKeyIn = async (file: string) => opensshPublicKey(await readFile(file, 'utf8'));
const own = () => ownSshKey(here.context.paths);

describe('a rotation', () => {
  test('keeps the old one for the VMs that know it, and takes that of the new key for others', async () => {
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({ withoutSshKey: [] });
    const derived = await derivedSshKey(await loadKey(here.context.paths.key));
    expect(await own()).toEqual({ file: before.file, publicKey: derived.publicKey });
    expect(await publicKeyIn(kept)).toBe(before.publicKey);
    expect(await entry()).toMatchObject({ sshKey: kept });
    await here.context.book.claim('late', { name: 'late', provider: attic.id });
    expect(await entry('late')).toMatchObject({ sshKey: before.file });
  });

  test('lets the new one into guests that run', async () => {
    await here.run(rotate, '--yes');
    const [type, blob] = (await own()).publicKey.split(' ');
    expect(guest.logins()).toBe(1);
    expect(await authorized()).toContain(`${type} ${blob} golem-share:`);
  });

  test('names those that it could not let it into', async () => {
    state = 'stopped';
    await expect(here.run(rotate, '--yes')).resolves.toMatchObject({
      withoutSshKey: [{ name: 'web', why: 'It is stopped.' }],
    });
    expect(here.notes.join('\n')).toContain("'web' lets in the previous SSH key only");
    expect(guest.logins()).toBe(0);
  });

  test('is told to OpenSSH', async () => {
    const file = ownConfigFile(here.context.paths);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '');
    await refreshHosts(here.context);
    expect(await readFile(file, 'utf8')).toContain(`  IdentityFile ${before.file}\n`);
    await here.run(rotate, '--yes');
    const text = await readFile(file, 'utf8');
    expect(text).toContain(`  IdentityFile ${kept}\n`);
    expect(text).not.toContain(`  IdentityFile ${before.file}\n`);
    await refreshHosts(here.context);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('that was killed in between is gone on with, and done twice it changes nothing', async () => {
    const { context } = here;
    const keys = { previous: await loadKey(context.paths.key), next: await generatePrivateJwk() };
    // Killed when the file was kept, and no entry was changed.
    await writeFile(kept, await readFile(before.file), { mode: 0o600 });
    await replaceSshKey(context, keys);
    expect(await entry()).toMatchObject({ sshKey: kept });
    await context.book.claim('late', { name: 'late', provider: attic.id });
    const after = await own();
    await replaceSshKey(context, keys);
    expect(await own()).toEqual(after);
    expect(after.publicKey).toBe((await derivedSshKey(keys.next)).publicKey);
    expect(await publicKeyIn(kept)).toBe(before.publicKey);
    expect(await entry('late')).toMatchObject({ sshKey: before.file });
  });
});

describe('after a rotation', () => {
  beforeEach(() => here.run(rotate, '--yes'));

  test('a backup has both, and which VM each opens', async () => {
    await using there = await personOf();
    const file = join(here.folder, 'backup');
    await here.run(backup, file, '--no-passphrase');
    await there.run(restore, file);
    const { paths, book } = there.context;
    const { sshKey = '' } = (await book.get('web')) ?? {};
    expect(sshKey.startsWith(paths.ssh)).toBe(true);
    expect(await publicKeyIn(sshKey)).toBe(before.publicKey);
    expect((await ownSshKey(paths)).publicKey).toBe((await own()).publicKey);
  });

  test('who has both keys, and nothing else, finds what opens each VM', async () => {
    const { ssh, vms } = here.context.paths;
    await Promise.all([ssh, vms].map((folder) => rm(folder, { recursive: true })));
    await here.run(list);
    expect(await entry()).toMatchObject({ sshKey: kept });
    expect(await publicKeyIn(kept)).toBe(before.publicKey);
  });

  test('who has the new key alone is told which VM may not let them in', async () => {
    const { ssh, vms, retired } = here.context.paths;
    await Promise.all([ssh, vms, retired].map((folder) => rm(folder, { recursive: true })));
    here.notes.length = 0;
    await here.run(list);
    expect(here.notes.join('\n')).toMatch(/'web' may let in the SSH key of that one only/);
  });
});

test('a backup says which VMs of other contexts with its key it does not have', async () => {
  await changeConfig(here.context.paths.config, (now) => ({
    ...now,
    contexts: { work: { discovery: DISCOVERY } },
  }));
  const home = openHome({ GOLEM_HOME: here.folder, GOLEM_DISCOVERY: DISCOVERY });
  Object.assign(here.context, { home });
  const work = new VmBook(home.pathsIn('work').vms);
  await work.claim('db', { name: 'db', provider: attic.id });
  await here.run(backup, join(here.folder, 'backup'), '--no-passphrase');
  expect(here.notes.join('\n')).toContain("The context 'work' has the same key, and its VMs (1)");
  // Its VMs follow as well.
  const keys = { previous: await loadKey(home.paths.key), next: await generatePrivateJwk() };
  await replaceSshKey(here.context, keys);
  const { id } = await openIdentity('requestor', keys.previous);
  const file = keptSshKeyFile(home.paths, id);
  const moved = new VmBook(home.pathsIn('work').vms, { ownKey: before.file });
  expect(await moved.get('db')).toMatchObject({ sshKey: file });
});
