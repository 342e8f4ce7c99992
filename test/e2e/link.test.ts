/** The control connection, when it breaks: who waits hears of it, and nothing is done twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Transport } from '../../cli/src/sdk/wire/transport.ts';
import { Vms } from '../../cli/src/sdk/vms/vms.ts';
import { acceptedSchema, paths, providerSchema, type Accepted } from '../../shared/src/api.ts';
import { GolemError } from '../../shared/src/errors.ts';
import { generateIdentity, type Identity } from '../../shared/src/keys.ts';
import { LIMITS } from '../../shared/src/limits.ts';
import { openOffer } from '../../shared/src/offer.ts';
import { golemFor, json } from '../golem.ts';
import { startProxy, type Proxy } from '../proxy.ts';
import { startStack, type ProviderHandle, type Stack } from '../stack.ts';

const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');
/** Smaller than any request, larger than pings. */
const REQUEST_BYTES = 500;
const HEARD_WITHIN_MILLIS = 1000;

let cleanup: AsyncDisposableStack;
let dir: string;
let stack: Stack;
let provider: ProviderHandle;
/** Between the agent and discovery. */
let proxy: Proxy;
/** The way past it, for requestors. */
let direct: string;
let requestor: Identity;
let vms: Vms;
/** Asks once, where `vms` would ask until it knows. */
let transport: Transport;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), 'l-'));
  begun.defer(() => rm(dir, { recursive: true, force: true }));
  const target = () => ({ host: '127.0.0.1', port: Number(new URL(direct).port) });
  proxy = begun.use(await startProxy({ target }));
  stack = begun.use(
    await startStack({
      ...{ providers: 1, driver: 'memory', dir: join(dir, 's') },
      front: async (discovery) => {
        direct = discovery;
        return `http://127.0.0.1:${proxy.port}`;
      },
    }),
  );
  const [first] = stack.providers;
  if (!first) throw new Error('no provider');
  provider = first;
  requestor = await generateIdentity('requestor');
  transport = new Transport({
    ...{ discovery: stack.discovery, identity: async () => requestor, now: Date.now },
    fetch: fetchDirectly,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    sleep: () => Promise.reject(new Error('nothing is to be asked again')),
  });
  vms = new Vms(transport);
  cleanup = begun.move();
});
afterAll(() => cleanup?.disposeAsync());
afterEach(() => proxy.delay(0));

/** Discovery has the one name that all sign for, wherever a connection really goes. */
const fetchDirectly: typeof fetch = async (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  const asked = request(direct + url.pathname + url.search, {
    method: init?.method ?? 'GET',
    headers: { ...(init?.headers as Record<string, string>), host: url.host },
    signal: init?.signal ?? undefined,
  });
  asked.end(init?.body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  return new Response(await buffer(answer), { status: answer.statusCode ?? 0, headers });
};

async function shown() {
  const answer = await fetch(direct + paths.provider(provider.id));
  return answer.ok ? providerSchema.parse(await answer.json()) : undefined;
}

/** The agent can be asked. */
beforeEach(async () => {
  await vi.waitFor(() => listed(), { timeout: 20_000, interval: 50 });
});

const listed = () => vms.list(provider.id, { signal: AbortSignal.timeout(10_000) });

/** A creation that can be sent any number of times, under one key. */
async function creation(name: string): Promise<() => Promise<Accepted>> {
  const { offer } = (await shown()) ?? {};
  if (!offer) throw new Error('the provider is not listed');
  const resources = { cpus: 1, memoryMiB: 256, storageGiB: 2 };
  const sshKeys = [
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjjhnN72cAd+Q2QsTVFhAz/YtZm9uPqDFwVzRSDS1OD me',
  ];
  const opened = await openOffer(offer, provider.id);
  const [image = ''] = opened.images;
  const wish = { name, resources, image, sshKeys };
  const { body, idempotencyKey } = await vms.creation(wish, opened, requestor.id);
  const call = { method: 'POST', path: paths.vms(provider.id), body, idempotencyKey } as const;
  return () =>
    transport.call(provider.id, acceptedSchema, { ...call, signal: AbortSignal.timeout(60_000) });
}

/** Makes room for the next one. */
async function destroy(id: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  await vi.waitFor(() => vms.send(provider.id, id, 'destroy', { signal }), {
    timeout: 10_000,
  });
  await vi.waitFor(async () => expect(await listed()).toEqual([]), { timeout: 10_000 });
}

/** Waits until a request has gone all the way to the agent's machine. */
async function delivered(since: number): Promise<void> {
  await vi.waitUntil(() => proxy.carried > since + REQUEST_BYTES, { timeout: 10_000, interval: 2 });
}

/** What the requestor is told when `cut` happens, and how soon. */
async function heardOf(asked: Promise<Accepted>, cut: () => Promise<void> | void) {
  const told = asked.then(
    () => undefined,
    (error: unknown) => ({ error, at: performance.now() }),
  );
  const cutAt = performance.now();
  await cut();
  const { error, at } = (await told) ?? {};
  if (!(error instanceof GolemError) || at === undefined) throw new Error(`told ${String(error)}`);
  const { code, status, retryable } = error;
  return { code, status, retryable, isInTime: at - cutAt < HEARD_WITHIN_MILLIS };
}

const LINK_LOST = { code: 'link_lost', status: 503, retryable: true, isInTime: true };

describe('a creation that is under way', () => {
  test('when its link is cut before the agent has read it', async () => {
    const create = await creation('cut');
    process.kill(provider.pid, 'SIGSTOP');
    const since = proxy.carried;
    const asked = create();
    await delivered(since);
    expect(await heardOf(asked, () => proxy.kill())).toEqual(LINK_LOST);
    process.kill(provider.pid, 'SIGCONT');
    await onlyOne(create, 'cut');
  });

  test('when its link is cut after the agent has done it', async () => {
    const create = await creation('done');
    const guests = join(provider.dataDir, 'guests');
    const before = (await readdir(guests)).length;
    proxy.delay(1000);
    const asked = create();
    await vi.waitUntil(async () => (await readdir(guests)).length > before, { timeout: 10_000 });
    expect(await heardOf(asked, () => proxy.kill())).toEqual(LINK_LOST);
    proxy.delay(0);
    await onlyOne(create, 'done');
  });

  test('when the agent is killed with -9', async () => {
    const create = await creation('killed');
    process.kill(provider.pid, 'SIGSTOP');
    const since = proxy.carried;
    const asked = create();
    await delivered(since);
    expect(await heardOf(asked, () => provider.end('SIGKILL'))).toEqual(LINK_LOST);
    await provider.restart();
    await onlyOne(create, 'killed');
  });

  /** The same request once more, and once more: one VM. */
  async function onlyOne(create: () => Promise<Accepted>, name: string): Promise<void> {
    const accepted = await vi.waitFor(create, { timeout: 30_000, interval: 100 });
    expect(await create()).toMatchObject({ operation: accepted.operation });
    const found = (await listed()).filter((vm) => vm.name === name);
    expect(found.map(({ id }) => id)).toEqual([accepted.vm.id]);
    await destroy(accepted.vm.id);
  }
});

test('a link that is dead and looks alive is found out by the agent, and made anew', async () => {
  const before = proxy.accepted;
  const since = performance.now();
  // Nothing comes through on what is open now, and nothing says so.
  proxy.blackHole();
  proxy.heal();
  const seconds = LIMITS.control.silenceSeconds;
  await vi.waitUntil(() => proxy.accepted > before, {
    timeout: seconds * 1000 + 5000,
    interval: 5,
  });
  // Half a second of jitter, and what a busy machine takes.
  expect(performance.now() - since).toBeLessThan(seconds * 1000 + 1500);
  await vi.waitFor(() => listed(), { timeout: 5000, interval: 50 });
  expect(await shown()).toMatchObject({ online: true });
});

test('an SSH session outlives a restart of discovery, and so does the provider’s row', async () => {
  const home = join(dir, 'g');
  const golem = golemFor(stack.env, home);
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  await json(golem('vm', 'create', 'web', ...spec, '-o', 'json'));
  const ssh = spawn(process.execPath, [launcher, 'vm', 'ssh', 'web', '--', 'cat'], {
    env: { ...process.env, ...stack.env, GOLEM_HOME: home },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(ssh, 'close');
  const lines = createInterface({ input: ssh.stdout })[Symbol.asyncIterator]();
  const echoed = async (text: string) => {
    ssh.stdin.write(`${text}\n`);
    return (await lines.next()).value;
  };
  expect(await echoed('before')).toBe('before');
  await stack.endDiscovery('SIGTERM');
  await stack.restartDiscovery();
  expect(await shown()).toMatchObject({ online: true });
  expect(await echoed('after')).toBe('after');
  ssh.stdin.end();
  expect(await ended).toEqual([0, null]);
});
