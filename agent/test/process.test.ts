/** `golem-provider` as people start it: one process, its exit codes, its end by every signal. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { paths, type Accepted, type OperationPage, type VmsPage } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { openOffer } from '@vm-on-golem/shared/offer';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { signRequest } from '@vm-on-golem/shared/signing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import { Hub, type Wire } from './hub.ts';
import { createBody, scratchFolder } from './provider.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'golem-provider.js');

let cleanup: AsyncDisposableStack;
let dir: string;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: dir, ...env },
  });
  cleanup.defer(() => void child.kill('SIGKILL'));
  return child;
}

async function run(args: readonly string[], env?: Record<string, string>) {
  const child = start(args, env);
  if (!child.stdout || !child.stderr) throw new Error('no pipes');
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ]);
  return { code, stdout, stderr };
}

describe('the command line', () => {
  test('prints help and version, and an id that stays', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('start');
    const startHelp = await run(['start', '--help']);
    expect(startHelp.stdout).toContain('--allow-emulation');
    expect((await run(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const first = await run(['id', '--data-dir', dir]);
    const second = await run(['id', '-o', 'json'], { GOLEM_PROVIDER_DATA_DIR: dir });
    expect(first.stdout).toMatch(/^gp_[a-z2-7]{26}\n$/);
    expect(JSON.parse(second.stdout)).toMatchObject({ provider: first.stdout.trim() });
  });

  test.each([
    [['strat'], 'Did you mean start?'],
    [['start', '--discvery', 'x'], 'Did you mean --discovery?'],
    [['frobnicate'], '--help'],
    [['start', 'extra'], 'one argument too many'],
    [['start', '--discovery'], 'discovery'],
    [['start'], 'GOLEM_PROVIDER_DISCOVERY'],
    [['start', '--discovery', 'http://127.0.0.1:1', '--cpus', 'two'], '--cpus'],
    [['id', '--cpus', '2'], "no option '--cpus'"],
    [['version', '-o', 'xml'], 'json or text'],
  ])('refuses %j with exit code 2', async (args, hint) => {
    const refused = await run(args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(hint);
    expect(refused.stdout).toBe('');
    expect(await readdir(dir)).toEqual([]);
  });
});

/** A provider process, and the discovery service that it is connected to. */
interface Running {
  readonly child: ChildProcess;
  readonly wire: Wire;
  readonly id: string;
}

describe('a running agent', () => {
  let hub: Hub;
  let owner: Identity;
  let requests = 0;

  beforeEach(async () => {
    hub = cleanup.use(await Hub.start());
    owner = await generateIdentity('requestor');
  });

  const ARGS = ['start', '-o', 'json', '--driver', 'memory', '--cpus', '64', '--max-vms', '64'];

  async function connect(): Promise<Running> {
    const log = join(dir, 'log');
    const child = start([...ARGS, '--discovery', hub.url, '--data-dir', dir, '--log-file', log]);
    if (!child.stdout) throw new Error('no pipe');
    const line = once(createInterface({ input: child.stdout }), 'line');
    const wire = await hub.connection();
    const { offer } = await wire.message('offer');
    wire.welcome();
    const { provider: id } = JSON.parse(String((await line)[0])) as { provider: string };
    expect(await openOffer(offer, id)).toMatchObject({ driver: 'memory', accepting: true });
    return { child, wire, id };
  }

  async function call(at: Running, method: string, path: string, body?: unknown) {
    const request = await signRequest(
      {
        ...{ method, url: `${hub.url}${path}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(method === 'GET' ? {} : { idempotencyKey: crypto.randomUUID() }),
      },
      owner,
      { now: Date.now },
    );
    const id = `r${(requests += 1)}`;
    at.wire.send({ type: 'request', id, ...request });
    return { id, request };
  }

  /** Asks, and signs anew what was signed in the second of the agent's start. */
  async function ask(at: Running, method: string, path: string, body?: unknown): Promise<unknown> {
    for (;;) {
      const { id, request } = await call(at, method, path, body);
      let response;
      do response = await answerOn(at.wire);
      while (response.id !== id);
      await verifyAnswer(response, request, at.id);
      const parsed = JSON.parse(response.body) as { error?: { code: string } };
      if (parsed.error?.code !== 'stale_request') return parsed;
    }
  }

  /** The next answer; new offers come in between. */
  async function answerOn(wire: Wire) {
    for (;;) {
      const message = JSON.parse(await wire.text()) as { type: string };
      if (message.type === 'response') {
        return message as unknown as {
          id: string;
          status: number;
          headers: Record<string, string>;
          body: string;
        };
      }
    }
  }

  async function follow(at: Running, operation: string): Promise<OperationPage> {
    for (;;) {
      const path = `${paths.operation(at.id, operation)}?after=99&wait=5`;
      const page = (await ask(at, 'GET', path)) as OperationPage;
      if (page.state !== 'running') return page;
    }
  }

  async function kill({ child }: Running, signal: NodeJS.Signals): Promise<number | null> {
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await ended)[0];
  }

  test.each([
    ['SIGTERM', 0],
    ['SIGINT', 130],
  ] as const)('ends on %s with exit code %i, and leaves its guests alone', async (signal, code) => {
    const agent = await connect();
    const { operation } = (await ask(
      agent,
      'POST',
      paths.vms(agent.id),
      createBody('web'),
    )) as Accepted;
    await follow(agent, operation);
    expect(await kill(agent, signal)).toBe(code);
    await using driver = await createMemoryDriver({ stateDir: join(dir, 'guests') });
    expect((await driver.list()).map(({ state }) => state)).toEqual(['running']);
  });

  test('refuses to share its folder with another', async () => {
    await connect();
    const second = await run([
      ...ARGS,
      '--discovery',
      hub.url,
      '--data-dir',
      dir,
      '--log-file',
      '-',
    ]);
    expect(second.code).toBe(5);
    expect(second.stderr).toContain('Another golem-provider');
  });

  test('killed with -9 at any moment loses nothing and leaks nothing', async () => {
    let agent = await connect();
    const started = new Map<string, string>();
    const survivor = (await ask(
      agent,
      'POST',
      paths.vms(agent.id),
      createBody('survivor'),
    )) as Accepted;
    await follow(agent, survivor.operation);

    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 6; n += 1) {
        await call(agent, 'POST', paths.vms(agent.id), createBody(`vm-${round}-${n}`));
      }
      // After so many answers: somewhere in the middle of what follows them.
      for (let n = 0; n <= round; n += 1) {
        const { status, body } = await answerOn(agent.wire);
        if (status !== 202) continue;
        const { operation, vm } = JSON.parse(body) as Accepted;
        started.set(operation, vm.id);
      }
      await kill(agent, 'SIGKILL');
      agent = await connect();
    }

    const kept = new Set([survivor.vm.id]);
    for (const [operation, vmId] of started) {
      const page = await follow(agent, operation);
      if (page.state === 'succeeded') kept.add(vmId);
      else
        expect(page).toMatchObject({ state: 'failed', vm: null, error: { code: 'launch_failed' } });
    }
    const { vms } = (await ask(agent, 'GET', `${paths.vms(agent.id)}?limit=100`)) as VmsPage;
    // What was accepted and not answered any more is there as well, and as it should be.
    const settled = vms.filter(({ state }) => state === 'running').map(({ id }) => id);
    expect(settled).toEqual(expect.arrayContaining([...kept]));
    expect(vms.filter(({ state }) => state !== 'running')).toEqual([]);
    await kill(agent, 'SIGTERM');
    await using driver = await createMemoryDriver({ stateDir: join(dir, 'guests') });
    expect((await driver.list()).map(({ vmId }) => vmId).sort()).toEqual(settled.sort());
  }, 30_000);

  test('writes no secret into its log', async () => {
    const agent = await connect();
    await ask(agent, 'POST', paths.vms(agent.id), createBody('web'));
    await kill(agent, 'SIGTERM');
    const log = await readFile(join(dir, 'log'), 'utf8');
    const { d } = JSON.parse(await readFile(join(dir, 'identity-key.json'), 'utf8')) as {
      d: string;
    };
    expect(log).toContain('starting');
    expect(log).not.toContain(d);
    expect(log).not.toContain('PRIVATE KEY');
    expect(log).not.toContain('signature');
  });
});
