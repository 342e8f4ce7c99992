import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { paths, providerSchema } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { CONTROL_PROTOCOL, parseHubMessage } from '@vm-on-golem/shared/control';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { signOffer } from '@vm-on-golem/shared/offer';
import { signRequest } from '@vm-on-golem/shared/signing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from './config.ts';
import { startDiscovery, type DiscoveryOptions } from './discovery.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'golem-discovery-'));
});

afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

const start = (more: Partial<DiscoveryOptions> = {}) =>
  startDiscovery({ host: '127.0.0.1', port: 0, dataDir, log: () => {}, ...more });

/** Processes that have the data of this test open. */
async function holders(): Promise<string[]> {
  const found = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may be gone between the two looks.
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    if (maps.includes(dataDir)) found.push(pid);
  }
  return found;
}

/** Connects an agent that offers, and leaves it connected. */
async function connect(url: string, identity: Identity): Promise<WebSocket> {
  const clock = { now: () => Date.now() };
  const signed = await signRequest(
    { method: 'GET', url: url + paths.agent, epoch: Date.now() },
    identity,
    clock,
  );
  const socket = new WebSocket(url.replace('http', 'ws') + paths.agent, CONTROL_PROTOCOL, {
    headers: signed.headers,
  });
  await once(socket, 'open');
  const amounts = { cpus: 8, memoryMiB: 16_384, storageGiB: 100, vms: 8 };
  const offer = await signOffer(
    {
      version: 1,
      provider: identity.id,
      publicKey: identity.publicKey,
      sealingKey: 'A'.repeat(43),
      name: 'test',
      sequence: Date.now(),
      issuedAt: new Date().toISOString(),
      driver: 'memory',
      arch: 'x86_64',
      accelerator: 'none',
      isolation: 'none',
      capacity: amounts,
      available: amounts,
      prices: { cpuHour: 1, memoryGiBHour: 1, storageGiBHour: 1 },
      images: [],
      capabilities: [],
      features: [],
      accepting: true,
    },
    identity,
  );
  socket.send(JSON.stringify({ type: 'offer', offer }));
  const [text] = (await once(socket, 'message')) as [Buffer];
  // Which the provider closes to its guests, if it is a public one.
  expect(parseHubMessage(text.toString())).toMatchObject({ type: 'welcome', address: '127.0.0.1' });
  return socket;
}

async function shown(url: string, { id }: Identity) {
  const response = await fetch(url + paths.provider(id));
  return response.ok ? providerSchema.parse(await response.json()) : undefined;
}

const untilShown = (url: string, identity: Identity) =>
  vi.waitFor(async () => {
    const provider = await shown(url, identity);
    expect(provider).toBeDefined();
    return provider;
  });

describe('a self-hosted discovery', () => {
  it('lists providers, stops without a trace, and starts again with its data', async () => {
    const identity = await generateIdentity('provider');
    const first = await start();
    expect(await holders()).not.toEqual([]);
    const socket = await connect(first.url, identity);
    expect(await untilShown(first.url, identity)).toMatchObject({ online: true, asn: null });
    const lost = once(socket, 'close');
    await first.close();
    await lost;
    expect(await holders()).toEqual([]);

    await using second = await start();
    expect(await shown(second.url, identity)).toMatchObject({ id: identity.id });
    (await connect(second.url, identity)).terminate();
  });

  it('says that every provider is where it was set to be, or nowhere', async () => {
    const identity = await generateIdentity('provider');
    await using discovery = await start({ country: 'CH' });
    // What miniflare's front door would believe.
    const headers = { 'mf-cf-blob': '{"country":"US"}', 'cf-ipcountry': 'US' };
    await fetch(`${discovery.url}/v1/providers`, { headers });
    const socket = await connect(discovery.url, identity);
    expect(await untilShown(discovery.url, identity)).toMatchObject({ country: 'CH' });
    socket.terminate();
  });

  it('counts requests by the address of the socket, whatever the client says', async () => {
    await using discovery = await start({ rates: { list: { perSecond: 0.001, burst: 2 } } });
    const status = async (address: string) => {
      const headers = {
        'x-forwarded-for': address,
        'cf-connecting-ip': address,
        'mf-cf-blob': JSON.stringify({ clientIp: `${address}:1` }),
      };
      return (await fetch(`${discovery.url}/v1/providers`, { headers })).status;
    };
    expect([await status('10.0.0.1'), await status('10.0.0.2'), await status('10.0.0.3')]).toEqual([
      200, 200, 429,
    ]);
  });

  it('counts by what a trusted proxy says, and by nothing that it was told itself', async () => {
    await using discovery = await start({
      rates: { list: { perSecond: 0.001, burst: 1 } },
      trustedProxies: ['127.0.0.0/8'],
    });
    const status = async (forwarded: string) =>
      (
        await fetch(`${discovery.url}/v1/providers`, {
          headers: { 'x-forwarded-for': forwarded },
        })
      ).status;
    expect(await status('203.0.113.1')).toBe(200);
    expect(await status('203.0.113.2')).toBe(200);
    expect(await status('198.51.100.7, 203.0.113.2')).toBe(429);
    expect(await status('203.0.113.1, 127.0.0.9')).toBe(429);
  });

  it('names the real peer on another of its addresses', async (context) => {
    const other = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === 'IPv4' && !address.internal);
    if (!other) {
      context.skip('this machine has the loopback address alone');
      return;
    }
    await using discovery = await start({
      host: '0.0.0.0',
      rates: { list: { perSecond: 0.001, burst: 1 } },
    });
    const status = async (host: string) =>
      (await fetch(`http://${host}:${discovery.port}/v1/providers`)).status;
    expect(await status('127.0.0.1')).toBe(200);
    expect(await status('127.0.0.1')).toBe(429);
    expect(await status(other.address)).toBe(200);
  });

  it('says what is wrong when it cannot listen', async () => {
    await using discovery = await start();
    await expect(start({ port: discovery.port })).rejects.toThrow(/[Aa]ddress already in use/);
  });

  it('runs with the settings of wrangler.toml', async () => {
    const toml = await readFile(join(import.meta.dirname, '..', '..', 'wrangler.toml'), 'utf8');
    expect(toml).toContain(`compatibility_date = "${COMPATIBILITY_DATE}"`);
    expect(toml).toContain(`compatibility_flags = ${JSON.stringify(COMPATIBILITY_FLAGS)}`);
  });
});

describe('its program', () => {
  function run(...flags: string[]): ChildProcess {
    return spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: dataDir },
    });
  }

  async function ready(program: ChildProcess): Promise<string> {
    const lines = createInterface({ input: program.stdout as Readable });
    const [line] = (await once(lines, 'line')) as [string];
    return (JSON.parse(line) as { discovery: string }).discovery;
  }

  it('starts on the same data and port after it was killed, and stops on a signal', async () => {
    const identity = await generateIdentity('provider');
    const flags = ['--data-dir', dataDir];
    const first = run(...flags, '--port', '0');
    const url = await ready(first);
    const socket = await connect(url, identity);
    await untilShown(url, identity);
    const lost = once(socket, 'close');
    first.kill('SIGKILL');
    await lost;
    await vi.waitFor(async () => expect(await holders()).toEqual([]));

    const second = run(...flags, '--port', new URL(url).port);
    expect(await ready(second)).toBe(url);
    expect(await shown(url, identity)).toMatchObject({ id: identity.id });
    const ended = once(second, 'exit');
    second.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await holders()).toEqual([]);
  });

  it('keeps to the rates that it is given', async () => {
    const program = run('--data-dir', dataDir, '--port', '0', '--rate', 'list=1/3');
    const url = await ready(program);
    const statuses = [];
    for (let n = 0; n < 20; n += 1) statuses.push((await fetch(url + paths.providers)).status);
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200]);
    expect(statuses).toContain(429);
    const ended = once(program, 'exit');
    program.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('lets in the pages that it is told of', async () => {
    const page = 'https://app.example';
    const program = run('--data-dir', dataDir, '--port', '0', '--cors', page);
    const url = await ready(program);
    const allowed = async (origin: string) => {
      const { headers } = await fetch(url + paths.providers, { headers: { origin } });
      return headers.get('access-control-allow-origin');
    };
    expect(await allowed(page)).toBe(page);
    expect(await allowed('https://other.example')).toBeNull();
    const ended = once(program, 'exit');
    program.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);

    const wrong = run('--data-dir', dataDir, '--port', '0', '--cors', `${page}/`);
    expect(await once(wrong, 'exit')).toEqual([2, null]);
  });

  it('can be told to stop by the user who runs it, and by nobody else', async () => {
    const program = run('--data-dir', dataDir, '--port', '0');
    const url = await ready(program);
    const [folder, ...others] = await controlFolders();
    expect(others).toEqual([]);
    expect((await stat(join(dataDir, folder ?? ''))).mode & 0o777).toBe(0o700);
    const answers = ['/', '/shutdown', '/control'].flatMap((path) =>
      ['GET', 'POST'].map(async (method) => (await fetch(url + path, { method })).status),
    );
    expect(new Set(await Promise.all(answers))).toEqual(new Set([404]));
    const ended = once(program, 'exit');
    program.kill('SIGKILL');
    await ended;
    await vi.waitFor(async () => expect(await controlFolders()).toEqual([]));
  });

  const controlFolders = async () =>
    (await readdir(dataDir)).filter((name) => name.startsWith('golem-control-'));

  describe('when it stops', () => {
    /** With an agent that does not answer its first request until it is told to. */
    async function startAsked() {
      const program = run('--data-dir', dataDir, '--port', '0');
      const url = await ready(program);
      const provider = await generateIdentity('provider');
      const requestor = await generateIdentity('requestor');
      const socket = await connect(url, provider);
      const ask = async () => {
        const target = url + paths.vms(provider.id);
        const clock = { now: () => Date.now() };
        const { headers } = await signRequest({ method: 'GET', url: target }, requestor, clock);
        return fetch(target, { headers });
      };
      const arrived = once(socket, 'message');
      const asked = ask();
      // It may fail before the test looks at it.
      asked.catch(() => {});
      const [text] = (await arrived) as [Buffer];
      const request = parseHubMessage(text.toString());
      if (request?.type !== 'request') throw new Error(`${request?.type} instead of a request`);
      const answer = (id: string) =>
        socket.send(JSON.stringify({ type: 'response', id, status: 200, headers: {}, body: '{}' }));
      // All others.
      socket.on('message', (data) => {
        const next = parseHubMessage((data as Buffer).toString());
        if (next?.type === 'request') answer(next.id);
      });
      return {
        ...{ program, url, provider, asked },
        answer: () => answer(request.id),
        /** Resolves with the refusal of a request that came too late. */
        refusal: () =>
          vi.waitFor(async () => {
            const response = await ask();
            expect(response.status).toBe(503);
            return response;
          }),
        closed: once(socket, 'close').then(([code]) => Number(code)),
        ended: once(program, 'exit'),
      };
    }

    it('answers what it has, refuses what comes, and sends agents away to come back', async () => {
      const { program, url, provider, asked, answer, refusal, closed, ended } = await startAsked();
      program.kill('SIGTERM');
      const refused = await refusal();
      expect(refused.headers.get('retry-after')).toBe('2');
      expect(await refused.json()).toMatchObject({
        error: { code: 'provider_offline', retryable: true, retryAfter: 2 },
      });
      // Agents that come meanwhile are sent away as well.
      await expect(connect(url, provider)).rejects.toThrow('503');
      answer();
      expect((await asked).status).toBe(200);
      expect(await closed).toBe(CLOSE.drain.code);
      expect(await ended).toEqual([0, null]);
      expect(await holders()).toEqual([]);
      expect(await controlFolders()).toEqual([]);
    });

    it('says so to whoever waits for an answer that does not come', async () => {
      const { program, asked, closed, ended } = await startAsked();
      program.kill('SIGINT');
      const answer = await asked;
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ error: { code: 'link_lost', retryable: true } });
      expect(await closed).toBe(CLOSE.drain.code);
      expect(await ended).toEqual([0, null]);
    });

    it('waits for nothing when it is told again', async () => {
      const { program, asked, refusal, closed, ended } = await startAsked();
      program.kill('SIGTERM');
      await refusal();
      await sleep(DISCOVERY_LIMITS.shutdown.insistenceMillis + 1);
      program.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      // Nobody was told anything.
      await expect(asked).rejects.toThrow('fetch failed');
      expect(await closed).toBe(1006);
      expect(await holders()).toEqual([]);
    });

    it('keeps agents on the list, which come back', async () => {
      const { program, provider, answer, closed, ended, url } = await startAsked();
      answer();
      program.kill('SIGTERM');
      await Promise.all([closed, ended]);
      await using again = await start({ port: Number(new URL(url).port) });
      expect(await shown(url, provider)).toMatchObject({ online: true });
      (await connect(again.url, provider)).terminate();
    });
  });

  it.each([
    ['--port', 'x'],
    ['--port', '70000'],
    ['--colour'],
    ['--country', 'ch'],
    ['--rate', 'list'],
    ['--rate', 'nothing=1/2'],
    ['--rate', 'list=0/2'],
  ])('refuses %s %s with the usage and code 2', async (...flags) => {
    const program = run(...flags);
    const said = createInterface({ input: program.stderr as Readable });
    const lines: string[] = [];
    said.on('line', (line) => lines.push(line));
    expect(await once(program, 'close')).toEqual([2, null]);
    expect(lines.join('\n')).toContain('npm run discovery');
  });
});
