/** VMs that are shared: what is asked of the provider, and what is done to a guest's files. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { http, passthrough } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accept } from '../src/commands/vm/accept.ts';
import { show } from '../src/commands/key/show.ts';
import { loadIdentity } from '../src/state/identity.ts';
import { list } from '../src/commands/vm/list.ts';
import { share, unshare } from '../src/commands/vm/share.ts';
import { vmTable } from '../src/presenters/vms.ts';
import { runInGuest } from '../src/commands/work/remote.ts';
import { keyFor, noKeyFor, SET_KEY } from '../src/guest/authorized.ts';
import { findReady } from '../src/commands/read/reference.ts';
import { ownSshKey } from '../src/state/ssh-keys.ts';
import { contextOf, type TestContext } from './context.ts';
import { startGuest, type GuestServer } from './guest/server.ts';
import { serve, server, TestProvider, vmOf } from './network.ts';

const BOB = `gr_${'b'.repeat(26)}`;
const CAROL = `gr_${'c'.repeat(26)}`;
const OWN = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjjhnN72cAd+Q2QsTVFhAz/YtZm9uPqDFwVzRSDS1OD me';
const HIS =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw bob@home';
const bare = (line: string) => line.split(' ').slice(0, 2).join(' ');

let provider: TestProvider;
let here: TestContext;
/** The home of the guest's user. */
let guest: string;
let machine: GuestServer;
/** What was asked of the provider and of the guest, in this order. */
let asked: string[];
let state: 'running' | 'stopped';

const authorized = () => readFile(join(guest, '.ssh/authorized_keys'), 'utf8');

/** What is to be done in the guest never ends: nobody writes what is read there. */
async function hang(): Promise<void> {
  const keys = join(guest, '.ssh/authorized_keys');
  await rm(keys);
  execFileSync('mkfifo', [keys]);
}

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  asked = [];
  state = 'running';
  provider.answer = ({ method, path, body }) => {
    asked.push(`${method} ${path.split('/').slice(6).join('/')} ${JSON.stringify(body ?? null)}`);
    if (path.includes('/grants')) return { status: 200, body: { grants: [] } };
    return { status: 200, body: vmOf({ state }) };
  };
  serve(provider);
  here = await contextOf();
  guest = join(here.folder, 'guest');
  await mkdir(join(guest, '.ssh'), { recursive: true });
  await writeFile(join(guest, '.ssh/authorized_keys'), `${OWN}\n`);
  const { file, publicKey } = await ownSshKey(here.context.paths);
  machine = await startGuest({ authorized: [publicKey], home: guest });
  here.context.client.sshUpgrade = async () => ({ url: machine.url, headers: {} });
  server.use(http.get('http://127.0.0.1:*/*', () => passthrough()));
  const vm = vmOf({ hostKey: machine.hostKey });
  await here.context.book.put({ name: 'web', provider: provider.id, vm, sshKey: file });
});
afterEach(async () => {
  server.resetHandlers();
  await machine[Symbol.asyncDispose]();
  await here[Symbol.asyncDispose]();
});

describe('share', () => {
  test('asks for the grant, and then puts the key into the guest', async () => {
    await here.run(share, 'web', '--with', BOB, '--ssh-key', HIS);
    expect(asked).toEqual([
      `POST grants ${JSON.stringify({ requestor: BOB, sshKey: HIS })}`,
      'GET  null',
    ]);
    expect(await authorized()).toBe(`${OWN}\n${bare(HIS)} golem-share:${BOB}\n`);
    expect(here.notes).toEqual([`They go in with: golem vm accept ${provider.id}/${vmOf().id}`]);
  });

  test('takes the key from a file, and changes nothing the second time', async () => {
    const file = join(here.folder, 'bob.pub');
    await writeFile(file, `${HIS}\n`);
    await here.run(share, 'web', '--with', BOB, '--ssh-key', file);
    const once = await authorized();
    await here.run(share, 'web', '--with', BOB, '--ssh-key', file);
    expect(await authorized()).toBe(once);
    expect(await readdir(join(guest, '.ssh'))).toEqual(['authorized_keys']);
  });

  test('of a VM that does not run says what was done and what was not', async () => {
    state = 'stopped';
    await expect(here.run(share, 'web', '--with', BOB, '--ssh-key', HIS)).rejects.toMatchObject({
      code: 'wrong_state',
      message: `The provider lets ${BOB} through to 'web', but their SSH key is not in it yet: it is stopped.`,
    });
    expect(asked[0]).toContain('POST grants');
    expect(await authorized()).toBe(`${OWN}\n`);
  });

  test('says so when the guest does not answer, or its command fails', async () => {
    await mkdir(join(guest, '.ssh/authorized_keys.new'));
    const sharing = () => here.run(share, 'web', '--with', BOB, '--ssh-key', HIS);
    await expect(sharing()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('authorized_keys.new'),
    });
    machine.refuse = { status: 502, body: 'no route to guest' };
    await expect(sharing()).rejects.toMatchObject({
      code: 'relay_failed',
      message: expect.stringContaining('status 502'),
    });
  });

  test('puts no key where the provider refuses', async () => {
    provider.answer = () => {
      throw new GolemError('forbidden');
    };
    await expect(here.run(share, 'web', '--with', BOB, '--ssh-key', HIS)).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(await authorized()).toBe(`${OWN}\n`);
  });

  test.each([
    [['--ssh-key', HIS], 'With whom'],
    [['--with', 'bob', '--ssh-key', HIS], 'not the id of a requestor'],
    [['--with', BOB], 'With which SSH key'],
    [['--with', BOB, '--ssh-key', '/nowhere'], 'no OpenSSH public key'],
    [['--with', BOB, '--ssh-key', `command="x" ${HIS}`], 'no OpenSSH public key'],
    [['--with', BOB, '--ssh-key', `${HIS}\n${OWN}`], 'no OpenSSH public key'],
  ])('with %j is refused before anything is asked', async (words, why) => {
    await expect(here.run(share, 'web', ...words)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(why),
    });
    expect(asked).toEqual([]);
  });
});

test('whom a VM is shared with is said by share without anybody', async () => {
  const grants = [{ requestor: BOB, sshKey: bare(HIS), grantedAt: '2026-01-01T00:00:00.000Z' }];
  provider.answer = () => ({ status: 200, body: { grants } });
  const listed = await here.run(share, 'web');
  expect(listed).toEqual(grants);
  expect(share.present?.(listed)).toMatchObject({
    table: { rows: [[BOB, '2026-01-01T00:00:00.000Z', bare(HIS)]] },
    ids: [BOB],
  });
  expect(machine.logins()).toBe(0);
});

describe('unshare', () => {
  beforeEach(() => here.run(share, 'web', '--with', BOB, '--ssh-key', HIS));

  test('removes the key and takes the grant back', async () => {
    asked.length = 0;
    await here.run(unshare, 'web', '--with', BOB);
    expect(asked).toEqual([`DELETE grants/${BOB} null`, 'GET  null']);
    expect(await authorized()).toBe(`${OWN}\n`);
  });

  test('takes the grant back also when the guest does not answer, and says what is left', async () => {
    machine.refuse = { status: 502, body: 'no route to guest' };
    asked.length = 0;
    await expect(here.run(unshare, 'web', '--with', BOB)).rejects.toMatchObject({
      code: 'relay_failed',
      message: expect.stringContaining('their SSH key is still in it'),
      hint: expect.stringContaining(`golem-share:${BOB}`),
    });
    expect(asked[0]).toBe(`DELETE grants/${BOB} null`);
  });

  test('shuts them out before their guest is asked anything, and although it never answers', async () => {
    await hang();
    asked.length = 0;
    const before = machine.logins();
    const waiting = here.run(unshare, 'web', '--with', BOB);
    await expect.poll(() => machine.logins()).toBe(before + 1);
    here.stop.abort(new GolemError('interrupted'));
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    expect(asked[0]).toBe(`DELETE grants/${BOB} null`);
  });

  test('removes the key also where the grant was taken back before', async () => {
    const { answer } = provider;
    provider.answer = (request) => {
      if (request.method === 'DELETE') throw new GolemError('not_found');
      return answer(request);
    };
    await here.run(unshare, 'web', '--with', BOB);
    expect(await authorized()).toBe(`${OWN}\n`);
    expect(here.notes.at(-1)).toContain('was not shared with gr_');
  });

  test('ends nothing where the provider refuses to take it back', async () => {
    const before = await authorized();
    provider.answer = () => {
      throw new GolemError('forbidden');
    };
    await expect(here.run(unshare, 'web', '--with', BOB)).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(await authorized()).toBe(before);
  });

  test('leaves the keys of all others', async () => {
    await here.run(share, 'web', '--with', CAROL, '--ssh-key', OWN.replace('Ajjh', 'Bjjh'));
    const before = await authorized();
    await here.run(unshare, 'web', '--with', BOB);
    expect(await authorized()).toBe(
      before
        .split('\n')
        .filter((line) => !line.endsWith(BOB))
        .join('\n'),
    );
  });
});

describe('a command in a guest', () => {
  const run = async (command: string, millis?: number) =>
    runInGuest(here.context, await findReady(here.context, 'web'), command, '', millis);

  test('is not waited for without an end', async () => {
    await expect(run('sleep 1000', 300)).rejects.toMatchObject({
      code: 'relay_failed',
      message: 'It did not end within 0.3 s.',
    });
  });

  test('may say as much as it likes: the end of it is kept', async () => {
    const command = "head -c 20000000 /dev/zero | tr '\\0' x >&2; echo ' the end' >&2; exit 1";
    await expect(run(command)).rejects.toMatchObject({ message: `${'x'.repeat(492)} the end` });
  });
});

describe('the file of keys', () => {
  const set = (input: string) =>
    execFileSync('sh', ['-c', SET_KEY], { env: { ...process.env, HOME: guest }, input });
  const file = () => join(guest, '.ssh/authorized_keys');

  test('need not be there, nor its folder, nor its last line end', async () => {
    guest = join(here.folder, 'a home');
    await mkdir(guest);
    set(noKeyFor(BOB));
    expect(await authorized()).toBe('');
    set(keyFor(BOB, HIS));
    expect((await authorized()).trim()).toBe(`${bare(HIS)} golem-share:${BOB}`);
    await writeFile(file(), OWN);
    set(keyFor(BOB, HIS));
    expect(await authorized()).toBe(`${OWN}\n${bare(HIS)} golem-share:${BOB}\n`);
  });

  test('keeps a key that opens it anyway, and lines without a mark', async () => {
    await writeFile(file(), `# mine\n\n${OWN}\nfrom="10.0.0.1" ${HIS}\n`);
    const before = await authorized();
    set(keyFor(BOB, OWN));
    set(keyFor(BOB, HIS));
    set(noKeyFor(BOB));
    expect(await authorized()).toBe(before);
  });

  test('has one key for each requestor: the last', async () => {
    set(keyFor(BOB, HIS));
    set(keyFor(BOB, HIS.replace('IDAw', 'IDBw')));
    expect(await authorized()).toBe(
      `${OWN}\n${bare(HIS).replace('IDAw', 'IDBw')} golem-share:${BOB}\n`,
    );
  });

  test('keeps a key for one when it is taken from another who has the same', async () => {
    set(keyFor(BOB, HIS));
    set(keyFor(CAROL, HIS));
    set(noKeyFor(BOB));
    expect(await authorized()).toBe(`${OWN}\n${bare(HIS)} golem-share:${CAROL}\n`);
  });

  test('may be a link', async () => {
    await writeFile(join(guest, 'keys'), `${OWN}\n`);
    execFileSync('rm', [file()]);
    await symlink(join(guest, 'keys'), file());
    set(keyFor(BOB, HIS));
    expect(await readFile(join(guest, 'keys'), 'utf8')).toContain(BOB);
    expect(await authorized()).toContain(BOB);
  });

  test('is kept whole when it cannot be written', () => {
    execFileSync('mkdir', [`${file()}.new`]);
    expect(() => set(keyFor(BOB, HIS))).toThrow();
    expect(execFileSync('cat', [file()], { encoding: 'utf8' })).toBe(`${OWN}\n`);
  });
});

describe('a VM of somebody else', () => {
  const shared = vmOf({ id: `vm_${'s'.repeat(20)}`, sharedBy: BOB });

  test('is taken up with its host key, under a name that is free', async () => {
    provider.answer = () => ({ status: 200, body: shared });
    const address = `${provider.id}/${shared.id}`;
    await expect(here.run(accept, address)).rejects.toMatchObject({ code: 'vm_exists' });
    await here.run(accept, address, '--name', 'his');
    expect(await here.context.book.get('his')).toMatchObject({
      vm: { id: shared.id, sharedBy: BOB },
    });
    const pinned = join(here.context.paths.ssh, 'known_hosts', `${shared.id}.${provider.id}`);
    expect(await readFile(pinned, 'utf8')).toBe(`${shared.id}.${provider.id} ${shared.hostKey}\n`);
    await expect(here.run(accept, 'nonsense')).rejects.toMatchObject({ code: 'usage' });
  });

  test('is in the list before that, with how to take it up', async () => {
    const own = vmOf({ hostKey: machine.hostKey });
    provider.answer = () => ({ status: 200, body: { vms: [own, shared], next: null } });
    const listed = await here.run(list);
    expect(listed).toMatchObject([
      { id: vmOf().id, sharedBy: null },
      { id: shared.id, sharedBy: BOB },
    ]);
    expect(vmTable(listed).table?.columns).toContainEqual({ title: 'SHARED BY', fixed: true });
    expect(here.notes.join()).toContain(`golem vm accept ${provider.id}/${shared.id}`);
    expect(await here.context.book.all()).toHaveLength(1);
  });

  test('is not taken for one of the same name that was asked for', async () => {
    provider.answer = () => ({ status: 200, body: shared });
    const { client, signal } = here.context;
    await expect(client.vms.get(provider.id, 'web', { signal })).rejects.toMatchObject({
      code: 'vm_not_found',
    });
  });

  test('is shared with the keys that golem key show prints', async () => {
    const shown = await here.run(show);
    const { requestor, sshKey } = shown;
    expect(new Map(show.present?.(shown).facts).get('to share')).toBe(
      `golem vm share NAME --with ${requestor} --ssh-key '${sshKey}'`,
    );
    expect(requestor).toBe((await loadIdentity(here.context.paths.key)).id);
    expect(sshKey).toMatch(/^ssh-ed25519 /);
  });
});
