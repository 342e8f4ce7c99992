/** Every operation, with what there is before, who begins it, and how it ends however often it was cut off. */
import { paths, type VmAction } from '@vm-on-golem/shared/api';
import type { Resources } from '@vm-on-golem/shared/vm';
import { createBody, type Requestor, type TestProvider } from '../provider.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;

/** A signed request. */
export interface Request {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

export type Outcome = 'running' | 'stopped' | 'suspended' | 'gone';

export interface Scenario {
  readonly name: string;
  /** What becomes of the VM `web` before it begins; none when it is what is created. */
  readonly before: readonly (Step | 'none')[];
  /** Time that has passed when the agent starts that is killed. */
  readonly passed?: number;
  /** The machine was restarted before: what ran was cut off. */
  readonly rebooted?: true;
  /** A launch fails there. */
  readonly broken?: true;
  /** All VMs are concerned, those of others as well. */
  readonly all?: Outcome;
  /** What takes it up after a kill is killed at each of its own points as well. */
  readonly twice?: true;
  /** What its owner asks for. */
  readonly request?: (provider: string, vm: string) => Request;
  /** What its owner asks for right behind that; the launch is still under way. */
  readonly next?: (provider: string) => Request;
  /** What the operator does. */
  readonly operator?: (provider: TestProvider) => void;
  /** Whether that has happened. */
  readonly isDone?: (provider: TestProvider) => boolean;
  /** How it ends when it was accepted, and when it never was. */
  readonly after: Outcome;
  readonly otherwise: Outcome;
  /** Also true in the end. */
  readonly resources?: Resources;
  readonly snapshots?: readonly string[];
}

/** What is done to the VM beforehand. */
export type Step = VmAction | 'snapshot' | 'hold' | 'drain' | 'drained' | 'uncollected' | 'brief';

const LARGER: Resources = { cpus: 2, memoryMiB: 1024, storageGiB: 8 };

const action = (verb: VmAction, body?: unknown) => (provider: string, vm: string) => ({
  method: 'POST' as const,
  path: paths.vmAction(provider, vm, verb),
  ...(body === undefined ? {} : { body }),
});

const creation = (provider: string): Request => ({
  ...{ method: 'POST', path: paths.vms(provider), body: createBody('web') },
});

export const SCENARIOS: readonly Scenario[] = [
  {
    ...{ name: 'create', before: ['none'], request: creation, twice: true },
    ...{ after: 'running', otherwise: 'gone' },
  },
  {
    ...{ name: 'create that fails', before: ['none'], request: creation, broken: true },
    ...{ after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'create that is overtaken by a destroy', before: ['none'], request: creation },
    next: (provider) => ({ method: 'DELETE', path: paths.vm(provider, 'web') }),
    ...{ after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'start', before: ['stop'], request: action('start') },
    ...{ after: 'running', otherwise: 'stopped' },
  },
  {
    ...{ name: 'start of a suspended VM', before: ['suspend'], request: action('start') },
    ...{ after: 'running', otherwise: 'suspended' },
  },
  {
    ...{ name: 'stop', before: [], request: action('stop') },
    ...{ after: 'stopped', otherwise: 'running' },
  },
  {
    ...{ name: 'restart', before: [], request: action('restart'), twice: true },
    ...{ after: 'running', otherwise: 'running' },
  },
  {
    ...{ name: 'suspend', before: [], request: action('suspend') },
    ...{ after: 'suspended', otherwise: 'running' },
  },
  {
    ...{
      name: 'resize',
      before: ['stop'],
      request: action('resize', { resources: LARGER }),
      twice: true,
    },
    ...{ after: 'stopped', otherwise: 'stopped', resources: LARGER },
  },
  {
    name: 'snapshot',
    before: ['stop'],
    request: (provider, vm) => ({
      ...{ method: 'POST', path: paths.vmPart(provider, vm, 'snapshots'), body: { name: 'two' } },
    }),
    ...{ after: 'stopped', otherwise: 'stopped', snapshots: ['two'] },
  },
  {
    name: 'restore',
    before: ['stop', 'snapshot'],
    request: (provider, vm) => ({ method: 'POST', path: paths.restore(provider, vm, 'one') }),
    ...{ after: 'stopped', otherwise: 'stopped', snapshots: ['one'] },
  },
  {
    name: 'delete-snapshot',
    before: ['stop', 'snapshot'],
    request: (provider, vm) => ({ method: 'DELETE', path: paths.snapshot(provider, vm, 'one') }),
    ...{ after: 'stopped', otherwise: 'stopped', snapshots: [] },
  },
  {
    ...{ name: 'destroy', before: [], after: 'gone', otherwise: 'running', twice: true },
    request: (provider, vm) => ({ method: 'DELETE', path: paths.vm(provider, vm) }),
  },
  {
    ...{ name: 'evict', before: [], after: 'gone', otherwise: 'running' },
    operator: ({ vms }) => {
      if (vms.operator.vms().some(({ name }) => name === 'web')) vms.operator.evict('web', 'Why.');
    },
    isDone: ({ vms }) => !vms.operator.vms().some(({ name }) => name === 'web'),
  },
  {
    ...{ name: 'end of a lease', before: [], passed: DAY },
    ...{ after: 'stopped', otherwise: 'stopped' },
  },
  {
    ...{
      name: 'renewal of a lease that has ended',
      before: ['hold'],
      request: action('renew', {}),
    },
    ...{ after: 'running', otherwise: 'stopped' },
  },
  {
    ...{ name: 'removal after a lease', before: ['hold'], passed: DAY },
    ...{ after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'roll-back of a creation that nobody collects', before: ['uncollected'] },
    ...{ passed: HOUR, after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'end of a life', before: ['brief'], passed: HOUR, after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'stop by a drain', before: ['drain'], passed: HOUR, all: 'stopped' },
    ...{ after: 'stopped', otherwise: 'stopped' },
  },
  {
    ...{ name: 'start after a drain', before: ['drain', 'drained'], all: 'stopped' },
    operator: ({ vms }) => vms.operator.resume(),
    isDone: ({ vms }) => vms.operator.mode.kind === 'open',
    ...{ after: 'running', otherwise: 'stopped' },
  },
  {
    ...{
      name: 'removal after a drain',
      before: ['drain', 'drained'],
      passed: 7 * DAY,
      all: 'gone',
    },
    ...{ after: 'gone', otherwise: 'gone' },
  },
  {
    ...{ name: 'start after a restart of the host', before: [], rebooted: true, twice: true },
    ...{ after: 'running', otherwise: 'running' },
  },
];

/** Brings `web` to where the scenario begins. */
export async function prepare(
  { before }: Scenario,
  provider: TestProvider,
  alice: Requestor,
): Promise<void> {
  if (before.includes('none')) return;
  if (before.includes('uncollected')) {
    await alice.create('web');
    await provider.vms.operations.idle();
    return;
  }
  const { id } = await alice.running('web', before.includes('brief') ? { ttlSeconds: 1800 } : {});
  for (const step of before) {
    if (step === 'hold' || step === 'drained') {
      provider.clock.advance(step === 'hold' ? DAY : HOUR);
      await provider.vms.reconcile();
      await provider.vms.operations.idle();
    } else if (step === 'drain') {
      provider.vms.operator.drain({ by: provider.clock.now() + HOUR / 2 });
    } else if (step === 'snapshot') {
      await alice.done('POST', paths.vmPart(provider.id, id, 'snapshots'), { name: 'one' });
    } else if (step !== 'none' && step !== 'uncollected' && step !== 'brief') {
      await alice.done('POST', paths.vmAction(provider.id, id, step));
    }
  }
}
