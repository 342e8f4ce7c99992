/** `golem-provider doctor`, beside an agent that runs and without one. */
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { environment, runCommand, startAgent } from './agent.ts';
import { scratchFolder } from './provider.ts';

/** Every command is a process: on a busy machine a dozen of them take a while. */
vi.setConfig({ testTimeout: 60_000 });

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

interface Report {
  readonly healthy: boolean;
  readonly found: { check: string; level: string; what: string; fix?: string }[];
}

async function examine(more: Record<string, string> = {}) {
  const env = { ...environment(dir), GOLEM_PROVIDER_DRIVER: 'memory', ...more };
  const { code, stdout, stderr } = await runCommand(['doctor', '-o', 'json'], env);
  const report = JSON.parse(stdout) as Report;
  expect({ code, stderr }).toEqual({ code: report.healthy ? 0 : 1, stderr: '' });
  const of = (check: string) => report.found.find((one) => one.check === check);
  return { ...report, of };
}

/** A discovery service whose clock is wrong. */
async function discovery(skewMillis: number, status = 200, protocol = '1'): Promise<string> {
  const server = createServer((_request, response) => {
    response.sendDate = false;
    response.setHeader('Date', new Date(Date.now() + skewMillis).toUTCString());
    response.setHeader('golem-protocol', protocol);
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  cleanup.defer(() => void server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('finds nothing wrong with an agent that runs as it should', async () => {
  await writeFile(join(dir, 'config.toml'), 'driver = "memory"\n');
  const agent = cleanup.use(await startAgent(dir));
  const { code, stdout, stderr } = await agent.command('doctor');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^ok {4}discovery +http:\S+ answers within \d+ ms, and the agent is connected$/m,
  );
  expect(stdout).toMatch(/^ok {4}clock +agrees with that of discovery$/m);
  expect(stdout).toMatch(new RegExp(`^ok {4}agent +runs as ${agent.child.pid}$`, 'm'));
  expect(stdout).toMatch(/0 failures|Everything is as it should be/);

  // A file that has become wrong takes nothing from what runs.
  await writeFile(join(dir, 'config.toml'), 'driver = = "memory"\n');
  const later = await examine();
  expect(later.of('configuration')).toMatchObject({ level: 'failure' });
  expect(later.of('agent')).toMatchObject({
    level: 'ok',
    what: `runs as ${agent.child.pid}`,
  });
  await writeFile(join(dir, 'config.toml'), 'data-dir = = 4\n');
  expect((await examine({ GOLEM_PROVIDER_DATA_DIR: '' })).of('agent')).toMatchObject({
    level: 'skipped',
  });
});

test('says what keeps it from starting, and what helps', async () => {
  const url = await discovery(0);
  await writeFile(join(dir, 'config.toml'), `discovery = "${url}"\nmemroy = 4\n`);
  const wrong = await examine();
  expect(wrong.healthy).toBe(false);
  expect(wrong.of('configuration')).toMatchObject({
    level: 'failure',
    what: expect.stringContaining(`:2: there is no setting 'memroy'`) as string,
    fix: 'Did you mean memory?',
  });
  expect(wrong.of('driver')).toMatchObject({ level: 'skipped' });

  await writeFile(join(dir, 'config.toml'), `discovery = "${url}"\n`);
  const right = await examine();
  expect(right).toMatchObject({ healthy: true });
  expect(right.of('agent')).toEqual({
    ...{ check: 'agent', level: 'warning', what: 'it does not run' },
    fix: 'golem-provider start',
  });
  expect(right.of('driver')).toMatchObject({ level: 'ok' });
  const typo = await examine({ GOLEM_PROVIDER_CPU: '1' });
  expect(typo.of('configuration')).toMatchObject({ level: 'warning' });
  const greedy = await examine({ GOLEM_PROVIDER_RESERVE_STORAGE: '1000T' });
  expect(greedy.of('disk')).toMatchObject({ level: 'failure' });
});

test('sees files that are open to others', async () => {
  const url = await discovery(0);
  const file = join(dir, 'config.toml');
  await writeFile(file, `discovery = "${url}"\n`);
  await chmod(file, 0o666);
  await mkdir(join(dir, 'data'));
  await chmod(join(dir, 'data'), 0o777);
  const open = await examine();
  expect(open.of('configuration')).toMatchObject({ level: 'failure', fix: `chmod go-w '${file}'` });
  expect(open.of('files')).toMatchObject({ level: 'failure', fix: `chmod go-w '${dir}/data'` });
  await chmod(join(dir, 'data'), 0o711);
  await writeFile(join(dir, 'data', 'identity-key.json'), '{}');
  await chmod(join(dir, 'data', 'identity-key.json'), 0o640);
  expect((await examine()).of('files')).toMatchObject({
    level: 'failure',
    fix: `chmod 600 '${dir}/data/identity-key.json'`,
  });
});

test('sees a discovery that cannot be used, and a clock that is off', async () => {
  const ahead = await examine({ GOLEM_PROVIDER_DISCOVERY: await discovery(-3_600_000), ...noFile });
  expect(ahead.of('clock')).toMatchObject({
    level: 'failure',
    fix: expect.stringContaining('NTP') as string,
  });
  const broken = await examine({ GOLEM_PROVIDER_DISCOVERY: await discovery(0, 503), ...noFile });
  expect(broken.of('discovery')).toMatchObject({ level: 'failure' });
  const newer = await examine({
    GOLEM_PROVIDER_DISCOVERY: await discovery(0, 200, '2'),
    ...noFile,
  });
  expect(newer.of('discovery')).toMatchObject({
    level: 'failure',
    what: 'The discovery service speaks version 2 of the protocol, golem-provider version 1.',
    fix: 'Update golem-provider.',
  });
  const gone = await examine({ GOLEM_PROVIDER_DISCOVERY: 'http://127.0.0.1:1', ...noFile });
  expect(gone.of('discovery')?.what).toContain('http://127.0.0.1:1 cannot be reached');
  expect(gone.of('clock')).toMatchObject({ level: 'skipped' });
});
const noFile = { GOLEM_PROVIDER_CONFIG: '' };
