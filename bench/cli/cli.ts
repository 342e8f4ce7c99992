/** How long people wait for `golem` itself, beside Node doing nothing and a bare HTTP call. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paths } from '@vm-on-golem/shared/api';
import { golemFor } from '../../test/golem.ts';
import { installed, startAgentNetwork } from '../agent/network.ts';
import { atMost, median, quantile, round, table, type Report } from '../lib/report.ts';
import { timeInTurns, type Case } from './startup.ts';

export interface CliBenchOptions {
  /** Of every case. */
  readonly runs: number;
}

const WARM_UPS = 5;
/** What a requestor has at a time who uses this daily. */
const VMS = 5;
const PROVIDER_FLAGS = [
  ...['--driver', 'memory', '--cpus', '64', '--memory', '64G', '--storage', '1000'],
];

const NODE = 'node -e 0';
const VERSION = 'golem --version';
const COMPLETION = 'golem completion bash';
const TAB = 'golem vm st<Tab>';
const CACHED = 'golem vm list --cached';
const HTTP = "node: await fetch('/v1/providers')";
const PROVIDERS = 'golem vm providers';

export async function benchCli({ runs }: CliBenchOptions): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), 'b-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const network = cleanup.use(await startAgentNetwork({ dir, flags: PROVIDER_FLAGS }));

  const program = await installed('cli', dir);
  const home = join(dir, 'home');
  await mkdir(home);
  const env = {
    ...{ PATH: process.env['PATH'] ?? '', HOME: home, XDG_CACHE_HOME: join(home, 'cache') },
    ...{ GOLEM_DISCOVERY: network.discovery, GOLEM_HOME: join(home, 'golem') },
  };
  const golem = golemFor(env, env.GOLEM_HOME, [], program);
  for (let n = 1; n <= VMS; n += 1) {
    const { status, stderr } = await golem('vm', 'create', `vm-${n}`, '--size', 'small');
    if (status !== 0) throw new Error(`no VM to list: ${stderr}`);
  }

  const url = `${network.discovery}${paths.providers}`;
  const fetching = `await (await fetch(${JSON.stringify(url)})).text()`;
  const node = process.execPath;
  const cases: readonly Case[] = [
    { name: NODE, command: [node, '-e', '0'] },
    { name: VERSION, command: [node, program, '--version'] },
    { name: COMPLETION, command: [node, program, 'completion', 'bash'] },
    { name: TAB, command: [node, program, '__complete', 'vm', 'st'] },
    { name: CACHED, command: [node, program, 'vm', 'list', '--cached'] },
    { name: HTTP, command: [node, '--input-type=module', '-e', fetching] },
    { name: PROVIDERS, command: [node, program, 'vm', 'providers'] },
  ];
  const times = timeInTurns(cases, { runs, warmUps: WARM_UPS, env });

  const p50 = (name: string) => median(times.get(name) ?? []);
  console.log(
    `${table(
      ['', 'p50 ms', 'p90 ms', `x ${NODE}`],
      cases.map(({ name }) => [
        ...[name, p50(name).toFixed(1), quantile(times.get(name) ?? [], 0.9).toFixed(1)],
        (p50(name) / p50(NODE)).toFixed(2),
      ]),
    )}\n`,
  );
  return {
    bench: 'cli',
    figures: {
      runs,
      p50Millis: Object.fromEntries(cases.map(({ name }) => [name, round(p50(name))])),
    },
    targets: [
      atMost(`${VERSION}: times ${NODE}`, p50(VERSION) / p50(NODE), 1.3),
      atMost(`${COMPLETION}: times ${NODE}`, p50(COMPLETION) / p50(NODE), 1.3),
      atMost(`${TAB}: times ${NODE}`, p50(TAB) / p50(NODE), 1.3),
      atMost(`${CACHED}: times ${NODE}`, p50(CACHED) / p50(NODE), 1.5),
      atMost(`${PROVIDERS}: ms more than the HTTP call`, p50(PROVIDERS) - p50(HTTP), 20),
    ],
  };
}
