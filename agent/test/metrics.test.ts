/** Prometheus over real HTTP: what is scraped is well-formed, right, and for this machine alone. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { paths } from '@vm-on-golem/shared/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from './ports.ts';
import { createBody, scratchFolder } from './provider.ts';
import { RunningAgent } from './running.ts';

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

async function get(port: number, options: { path?: string; host?: string; method?: string } = {}) {
  const { path = '/metrics', host = `127.0.0.1:${port}`, method = 'GET' } = options;
  const sent = request({ host: '127.0.0.1', port, path, method, headers: { host } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode,
    type: response.headers['content-type'],
    body: await text(response),
  };
}

interface Scrape {
  readonly types: Map<string, string>;
  readonly values: Map<string, number>;
}

/** @throws for a line that is none of the text format */
function parse(body: string): Scrape {
  const [types, helps, values] = [
    new Map<string, string>(),
    new Set<string>(),
    new Map<string, number>(),
  ];
  for (const line of body.split('\n').filter((line) => line !== '')) {
    const help = /^# HELP ([a-z_]+) \S.*\.$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    const sample = /^([a-z_]+(?:\{(?:[a-z]+="[^"\\]*",?)+\})?) (-?[0-9.e+-]+|NaN|\+Inf)$/.exec(
      line,
    );
    if (help?.[1]) helps.add(help[1]);
    else if (type?.[1] && type[2]) types.set(type[1], type[2]);
    else if (sample?.[1]) values.set(sample[1], Number(sample[2]));
    else throw new Error(`not the text format: ${line}`);
  }
  for (const series of values.keys()) {
    const name = series.replace(/\{.*$/, '').replace(/_(?:bucket|sum|count)$/, '');
    const full = types.has(name) ? name : series.replace(/\{.*$/, '');
    if (!types.has(full) || !helps.has(full)) throw new Error(`${series} is not described`);
    if (types.get(full) === 'counter' && !full.endsWith('_total')) throw new Error(full);
  }
  return { types, values };
}

test('what has happened is scraped', async () => {
  const port = await freePort();
  const settings = { metrics: String(port), memory: '64', storage: '1000', 'max-vms': '20' };
  const agent = cleanup.use(await RunningAgent.start({ dir, settings }));
  const { operation, vm } = await agent.create(createBody('web'));
  await agent.follow(operation);
  await agent.ask('POST', `${paths.vm(agent.id, vm.id)}/start`);
  await agent.ask('GET', paths.vm(agent.id, 'nothing'));
  const { status, type, body } = await get(port);
  expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const { types, values } = parse(body);
  const manual = await readFile(join(import.meta.dirname, '../../docs/provider.md'), 'utf8');
  const rows = manual.split('\n').filter((line) => /^\| `(?:golem|process)_/.test(line));
  const names = rows.flatMap((row) => row.match(/`(?:golem|process)_[a-z_]+`/g) ?? []);
  expect(names.map((name) => name.slice(1, -1)).sort()).toEqual([...types.keys()].sort());
  expect(Object.fromEntries(values)).toMatchObject({
    [`golem_provider_info{version="0.1.0",provider="${agent.id}",driver="memory"}`]: 1,
    'golem_link_state{state="connected"}': 1,
    'golem_link_state{state="backing-off"}': 0,
    golem_link_connections_total: 1,
    golem_accepting: 1,
    'golem_vms{phase="running"}': 1,
    golem_capacity_cpus: 64,
    golem_available_cpus: 63,
    golem_capacity_memory_bytes: 64 * 2 ** 30,
    golem_available_memory_bytes: 64 * 2 ** 30 - 512 * 2 ** 20,
    golem_available_storage_bytes: 995 * 2 ** 30,
    golem_available_vms: 19,
    'golem_requests_total{method="POST",route="/vms",status="202"}': 1,
    'golem_requests_total{method="POST",route="/vms/:vm/start",status="409"}': 1,
    'golem_requests_total{method="GET",route="/vms/:vm",status="404"}': 1,
    'golem_operations_total{kind="create",outcome="succeeded"}': 1,
    'golem_operation_duration_seconds_count{kind="create",outcome="succeeded"}': 1,
    golem_relay_sessions: 0,
    'golem_relay_bytes_total{direction="to_guests"}': 0,
    'golem_guest_network_bytes_total{direction="sent"}': 0,
    golem_image_cache_bytes: 0,
  });
  expect(values.get('golem_disk_free_bytes')).toBeGreaterThan(0);
  expect(values.get('golem_event_loop_lag_seconds')).toBeGreaterThanOrEqual(0);
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(10 ** 7);
  // Counters that are read elsewhere do not add up.
  await agent.ask('DELETE', paths.vm(agent.id, vm.id));
  const again = parse((await get(port)).body).values;
  expect(again.get('golem_link_connections_total')).toBe(1);
});

test('is for this machine alone, and for nothing else', async () => {
  const port = await freePort();
  const settings = { metrics: String(port) };
  const agent = cleanup.use(await RunningAgent.start({ dir, settings }));
  // The page of some site, whose name was made to mean this machine.
  expect((await get(port, { host: `rebound.example:${port}` })).status).toBe(403);
  expect((await get(port, { host: `localhost:${port}` })).status).toBe(200);
  expect((await get(port, { path: '/' })).status).toBe(404);
  expect((await get(port, { method: 'POST' })).status).toBe(405);
  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .filter((address) => address?.internal === false && address.family === 'IPv4');
  for (const { address } of elsewhere as { address: string }[]) {
    const refused = request({ host: address, port, path: '/metrics' }).end();
    expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
  }
  await agent[Symbol.asyncDispose]();
  const gone = request({ host: '127.0.0.1', port }).end();
  expect(await once(gone, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
});

test('a port that is taken is said at the start', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  await expect(
    RunningAgent.start({ dir, settings: { metrics: String(port) } }),
  ).rejects.toMatchObject({
    code: 'usage',
    hint: expect.stringContaining('--metrics') as string,
  });
});
