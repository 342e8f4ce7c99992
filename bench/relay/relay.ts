/**
 * SSH through the relay beside what people use today: the same client, sshd and machine, one after
 * the other, over and over, so that whatever else the machine does hits all of them.
 */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atLeast, atMost, median, round, table, type Report } from '../lib/report.ts';
import { watchUsage, type Usage } from '../lib/usage.ts';
import { channels, down, handshake, keystrokes, up, type Ssh } from './measure.ts';
import { startNetwork } from './network.ts';
import { startPeers } from './peers.ts';

export interface RelayBenchOptions {
  readonly mib: number;
  readonly runs: number;
}

/** Below those that connections are given. */
const PORT = 22_200;
const DELAYS = [50, 100];
const WAYS = ['direct', 'socat', 'bastion', 'websockify', 'ours', 'ours-hibernating', 'ours-wss'];
const KEYSTROKES = 300;
const SMALL_WINDOW_KIB = 256;
const CHANNELS = 8;

/** Of one way, one value a run. */
interface Figures {
  readonly up: number[];
  readonly down: number[];
  readonly handshake: number[];
  readonly p50: number[];
  readonly p99: number[];
  readonly usage: Usage[];
}

export async function benchRelay({ mib, runs }: RelayBenchOptions): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), 'b-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const { config, enter } = await startAll(dir, cleanup);
  const to = (way: string): Ssh => {
    const words = enter.get(way);
    return { config, host: way, ...(words === undefined ? {} : { enter: words }) };
  };
  const figures = new Map<string, Figures>();
  for (const way of WAYS) {
    figures.set(way, { up: [], down: [], handshake: [], p50: [], p99: [], usage: [] });
    await handshake(to(way));
  }
  for (let run = 1; run <= runs; run += 1) {
    console.error(`run ${run} of ${runs}`);
    for (const [way, all] of figures) await measure(to(way), mib, all);
  }
  console.log(tableOf(figures, mib));
  const lines = [];
  for (const millis of DELAYS) lines.push(await measureDelay(config, millis, mib, runs));
  console.log(`\n${delayTable(lines)}\n`);
  return {
    bench: 'relay',
    figures: { mib, runs, ways: summaryOf(figures, mib), delays: lines },
    targets: [...targetsOf(figures), ...lines.flatMap(delayTargets)],
  };
}

/** @returns path of an ssh_config in which every way is a host, and how `golem` enters some */
async function startAll(
  dir: string,
  cleanup: AsyncDisposableStack,
): Promise<{ config: string; enter: ReadonlyMap<string, string> }> {
  const program = await builtGolem(dir);
  const enter = new Map<string, string>();
  const network = async (name: string, n: number, more: object = {}) => {
    const started = cleanup.use(
      await startNetwork({
        ...{ name, dir: join(dir, name), mode: 'coupled' as const, port: PORT + n, program },
        ...more,
      }),
    );
    enter.set(name, started.enter);
    return started;
  };
  const ours = await network('ours', 0);
  const hosts = [
    ours,
    await network('ours-hibernating', 1, { mode: 'hibernating' }),
    await network('ours-wss', 2, { front: 'tls' }),
  ];
  for (const [n, delayMillis] of DELAYS.entries()) {
    const front = { delayMillis };
    const windowKib = SMALL_WINDOW_KIB;
    hosts.push(await network(`ours-${delayMillis}`, 3 + 2 * n, { front }));
    hosts.push(await network(`small-${delayMillis}`, 4 + 2 * n, { front, windowKib }));
  }
  const peers = cleanup.use(
    await startPeers({
      ...{ dir: join(dir, 'peers'), port: PORT, guest: ours.guest, key: ours.key },
      ...{ freePort: PORT + 20, delays: DELAYS },
    }),
  );
  const config = join(dir, 'ssh_config');
  const all = [...hosts.map(({ host }) => host), ...peers.hosts];
  await writeFile(config, `${all.join('\n')}\n`);
  return { config, enter };
}

/** What people install is one file. @returns path of the program that runs it */
async function builtGolem(dir: string): Promise<string> {
  const cli = join(import.meta.dirname, '../../cli');
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(cli, part), join(dir, 'golem', part), { recursive: true });
  }
  return join(dir, 'golem/bin/golem.js');
}

async function measure(to: Ssh, mib: number, into: Figures): Promise<void> {
  const bytes = mib * 2 ** 20;
  const usage = watchUsage();
  into.up.push(mib / (await up(to, bytes)));
  into.down.push(mib / (await down(to, bytes)));
  into.usage.push(usage());
  for (let n = 0; n < 3; n += 1) into.handshake.push(await handshake(to));
  const { p50, p99 } = await keystrokes(to, KEYSTROKES);
  into.p50.push(p50);
  into.p99.push(p99);
}

interface Line {
  readonly millis: number;
  readonly bastion: number;
  readonly ours: number;
  readonly channels: number;
  readonly smallChannels: number;
}

/** MiB/s, downwards, with `millis` of delay each way on either side of the relay or bastion. */
async function measureDelay(
  config: string,
  millis: number,
  mib: number,
  runs: number,
): Promise<Line> {
  const size = Math.min(32, mib);
  const all = { bastion: [], ours: [], channels: [], smallChannels: [] } as Record<
    string,
    number[]
  >;
  for (let run = 0; run < Math.min(runs, 3); run += 1) {
    const at = (name: string): Ssh => ({ config, host: `${name}-${millis}` });
    const one = async (name: string) => size / (await down(at(name), size * 2 ** 20));
    all['bastion']?.push(await one('bastion'));
    all['ours']?.push(await one('ours'));
    const many = async (name: string, each: number) =>
      (CHANNELS * each) / (await channels(at(name), CHANNELS, each * 2 ** 20));
    all['channels']?.push(await many('ours', size / 4));
    all['smallChannels']?.push(await many('small', size / 32));
  }
  const of = (name: string) => median(all[name] ?? []);
  const [bastion, ours] = [of('bastion'), of('ours')];
  return { millis, bastion, ours, channels: of('channels'), smallChannels: of('smallChannels') };
}

function tableOf(figures: ReadonlyMap<string, Figures>, mib: number): string {
  const base = figures.get('bastion');
  const ratio = (values: readonly number[], to: readonly number[] | undefined) =>
    (median(values) / median(to ?? [])).toFixed(2);
  const rows = [...figures].map(([way, all]) => [
    way,
    median(all.up).toFixed(0),
    ratio(all.up, base?.up),
    median(all.down).toFixed(0),
    ratio(all.down, base?.down),
    median(all.handshake).toFixed(0),
    median(all.p50).toFixed(2),
    median(all.p99).toFixed(2),
    usageOf(all, mib),
  ]);
  const head = ['way', 'up MiB/s', 'x bastion', 'down MiB/s', 'x bastion', 'connect ms'];
  return table([...head, 'key p50 ms', 'key p99 ms', 'CPU s/GiB (peak MiB)'], rows);
}

function usageOf({ usage }: Figures, mib: number): string {
  const names = new Set(usage.flatMap((one) => Object.keys(one)));
  return [...names]
    .map((name) => {
      const seconds = median(usage.map((one) => one[name]?.seconds ?? 0)) / ((2 * mib) / 1024);
      const memory = Math.max(...usage.map((one) => one[name]?.rssMiB ?? 0));
      return { text: `${name} ${seconds.toFixed(1)} (${memory.toFixed(0)})`, seconds };
    })
    .filter(({ seconds }) => seconds >= 0.3)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ text }) => text)
    .join(', ');
}

function delayTable(lines: readonly Line[]): string {
  const head = ['delay each way', 'bastion MiB/s', 'ours', '8 channels', '8 channels, 256 KiB'];
  const rows = lines.map(({ millis, ...line }) => [
    `${millis} ms`,
    ...[line.bastion, line.ours, line.channels, line.smallChannels].map((rate) => rate.toFixed(1)),
  ]);
  return table(head, rows);
}

function summaryOf(figures: ReadonlyMap<string, Figures>, mib: number) {
  return Object.fromEntries(
    [...figures].map(([way, all]) => [
      way,
      {
        upMiBs: round(median(all.up)),
        downMiBs: round(median(all.down)),
        connectMillis: round(median(all.handshake)),
        keyP50Millis: round(median(all.p50)),
        keyP99Millis: round(median(all.p99)),
        usage: usageOf(all, mib),
      },
    ]),
  );
}

function targetsOf(figures: ReadonlyMap<string, Figures>) {
  const of = (way: string, what: 'up' | 'down' | 'handshake' | 'p50' | 'p99') =>
    median(figures.get(way)?.[what] ?? []);
  return [
    ...(['up', 'down'] as const).flatMap((way) => [
      atLeast(`${way}, of the bastion's`, of('ours', way) / of('bastion', way), 2),
      atLeast(`${way}, of socat's`, of('ours', way) / of('socat', way), 0.7),
    ]),
    atMost('keystroke p50 ms', of('ours', 'p50'), of('bastion', 'p50') + 1),
    atMost('keystroke p99 ms', of('ours', 'p99'), of('bastion', 'p99') + 5),
    atMost('connect ms', of('ours', 'handshake'), of('bastion', 'handshake') + 150),
  ];
}

function delayTargets({ millis, bastion, ours, channels, smallChannels }: Line) {
  return [
    atLeast(`${millis} ms: one channel, of the bastion's`, ours / bastion, 1),
    atLeast(`${millis} ms: eight channels, of those with 256 KiB`, channels / smallChannels, 3),
  ];
}
