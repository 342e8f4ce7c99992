/** The SDK where people use it: the examples as they stand in the documentation, against a real network. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GolemClient, MemoryRentals, openIdentity, generatePrivateJwk } from '@vm-on-golem/cli';
import { build } from 'esbuild';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateOpenSshKeyPair } from '../../shared/src/openssh.ts';
import { golemFor, json, run } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { fetchOf } from './browser.ts';

const root = join(import.meta.dirname, '../..');
/** The source of the SDK instead of what is built of it. */
const NODE = [process.execPath, '--conditions=source'];
const ORIGIN = 'https://app.example';

let dir: string;
let stack: Stack;
let sshKey: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k-'));
  sshKey = (await generateOpenSshKeyPair()).publicKey;
  await writeFile(join(dir, 'key.pub'), `${sshKey}\n`);
  stack = await startStack({
    ...{ providers: 1, driver: 'memory', dir: join(dir, 's') },
    discoveryFlags: ['--cors', ORIGIN],
    // An offer follows what was given back within a second, which the next test does not wait for.
    providerFlags: ['--cpus', '4'],
  });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const example = (name: string) => join(root, 'examples/sdk', name);

test.each(['rent.ts', 'watch.ts', 'worker.ts'])('docs/sdk.md has %s as it is', (name) => {
  const page = readFileSync(join(root, 'docs/sdk.md'), 'utf8');
  expect(page).toContain(`\`\`\`ts\n${readFileSync(example(name), 'utf8')}\`\`\``);
});

describe('in Node', () => {
  test('rent.ts rents a VM and gives it back', async () => {
    const command = [...NODE, example('rent.ts'), join(dir, 'key.pub')];
    const { status, stdout, stderr } = await run(command, { env: stack.env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/batch: ready\n.*batch is running; its host key is ssh-ed25519 /s);
    expect(stdout).toMatch(/given back: true\n$/);
  });

  test('watch.ts tells a VM’s story to its end', async () => {
    const home = join(dir, 'alice');
    const golem = golemFor(stack.env, home);
    const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
    const created = golem('vm', 'create', 'web', ...spec, '-o', 'json');
    const { id, provider } = await json<{ id: string; provider: string }>(created);
    const key = join(home, 'key.json');
    const watched = run([...NODE, example('watch.ts'), key, provider, id], {
      env: stack.env,
    });
    expect((await golem('vm', 'destroy', 'web', '--yes')).status).toBe(0);
    const { status, stdout } = await watched;
    expect(status).toBe(0);
    expect(stdout).toMatch(/ owner create .*\n[\s\S]* destroy.done *\n$/);
  });
});

describe('the console', () => {
  test('is followed from what was written on, into the next boot', async () => {
    const identity = await openIdentity('requestor', await generatePrivateJwk());
    const discovery = stack.discovery;
    const client = new GolemClient({ discovery, identity: async () => identity });
    const rentals = new MemoryRentals();
    const { signal } = new AbortController();
    const resources = { cpus: 1, memoryMiB: 256, storageGiB: 2 };
    const wish = { name: 'boots', resources, sshKeys: [sshKey] };
    const ready = await client.settle(await client.rent(wish, { rentals, signal }), {
      ...{ rentals, signal },
    });
    const vmId = ready.vm?.id ?? '';
    const told = client.console.follow(ready.provider, vmId, { signal });
    const first = await told.next();
    expect(first.value).toBe(await client.console.tail(ready.provider, vmId, { signal }));
    const [second] = await Promise.all([
      told.next(),
      client.apply(ready, 'restart', { rentals, signal }),
    ]);
    expect(second.value).toMatch(/\S/);
    await told.return(undefined);
    await client.giveBack(ready, { rentals, signal });
  });
});

describe('in a Worker', () => {
  let worker: Miniflare;
  beforeAll(async () => {
    const { outputFiles } = await build({
      ...{ entryPoints: [example('worker.ts')], bundle: true, write: false, format: 'esm' },
      ...{ target: 'es2024', platform: 'neutral', mainFields: ['module', 'main'] },
      conditions: ['source', 'workerd', 'worker', 'import'],
    });
    worker = new Miniflare(
      convertV4MiniflareOptions({
        ...{ modules: true, script: outputFiles[0]?.text ?? '' },
        compatibilityDate: '2026-01-01',
        bindings: {
          ...{ DISCOVERY: stack.discovery, SSH_KEY: sshKey },
          KEY: JSON.stringify(await generatePrivateJwk()),
        },
      }),
    );
    await worker.ready;
  });
  afterAll(() => worker?.dispose());

  test('worker.ts lists, rents and gives back', async () => {
    const listed = await worker.dispatchFetch('http://worker/');
    expect(await listed.json()).toMatchObject([{ name: 'provider-1' }]);
    const rented = await worker.dispatchFetch('http://worker/', { method: 'POST' });
    expect(await rented.json()).toEqual({
      id: expect.stringMatching(/^vm_/),
      state: 'running',
    });
  });
});

describe('in a browser', () => {
  const clientAt = async (origin: string) => {
    const identity = await openIdentity('requestor', await generatePrivateJwk());
    return new GolemClient({
      ...{ discovery: stack.discovery, identity: async () => identity, fetch: fetchOf(origin) },
      sleep: async () => {},
    });
  };
  const { signal } = new AbortController();
  const resources = { cpus: 1, memoryMiB: 256, storageGiB: 2 };

  test('everything but SSH works from a page that discovery lets in', async () => {
    const client = await clientAt(ORIGIN);
    const rentals = new MemoryRentals();
    const wish = { name: 'page', resources, sshKeys: [sshKey] };
    const asked = await client.rent(wish, { rentals, signal });
    const ready = await client.settle(asked, { rentals, signal });
    expect(ready.vm?.state).toBe('running');
    expect(await client.rediscover({ providers: [], signal })).toMatchObject([
      { provider: ready.provider, vms: [{ name: 'page' }] },
    ]);
    const stopped = await client.apply(ready, 'stop', { rentals, signal });
    expect(stopped.vm?.state).toBe('stopped');
    expect(await client.giveBack(stopped, { rentals, signal })).toBe(true);
  });

  test('a page of another origin is kept out', async () => {
    const client = await clientAt('https://evil.example');
    const page = client.providers.page({ resources }, { limit: 1, signal });
    await expect(page).rejects.toMatchObject({ code: 'discovery_unreachable' });
  });
});
