/**
 * What `golem-provider` asks the agent that runs on the same machine, and what it answers: JSON over
 * HTTP over a socket that only its user can open. Both ends are of one release, mostly: fields are
 * added and never change their meaning, and what cannot be kept gets a new version in the path.
 */
import { requestorIdSchema, vmIdSchema, operationIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { pricesSchema } from '@vm-on-golem/shared/money';
import { amountsSchema } from '@vm-on-golem/shared/offer';
import { vmSchema } from '@vm-on-golem/shared/vm';
import * as z from 'zod';

export const controlPaths = {
  status: '/v1/status',
  stop: '/v1/stop',
  reload: '/v1/reload',
  config: '/v1/config',
  pause: '/v1/pause',
  resume: '/v1/resume',
  drain: '/v1/drain',
  probe: '/v1/probe',
  vms: '/v1/vms',
  evict: (ref: string) => `/v1/vms/${encodeURIComponent(ref)}/evict`,
  earnings: '/v1/earnings',
  orphans: '/v1/orphans',
  orphan: (vmId: string) => `/v1/orphans/${encodeURIComponent(vmId)}`,
} as const;

const time = z.iso.datetime();
/** The operator's words to the owners of VMs. */
const reasonSchema = z.string().max(LIMITS.vm.reasonChars);

/**
 * - `open`: new VMs are taken
 * - `paused`: none are; those that are there are left alone
 * - `draining`: none are, and those that are there are stopped at `by`
 */
export const modeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('open') }),
  z.object({ kind: z.literal('paused') }),
  z.object({ kind: z.literal('draining'), by: time, reason: reasonSchema.optional() }),
]);
export type ModeView = z.infer<typeof modeSchema>;

export const drainSchema = z.strictObject({ by: time, reason: reasonSchema.optional() });
export type Drain = z.infer<typeof drainSchema>;

export const evictSchema = z.strictObject({ reason: reasonSchema });
export const evictedSchema = z.object({ operation: operationIdSchema });

const reachSchema = z.enum(['open', 'closed']);

/** Where a guest got to, and where it should have. */
export const probeSchema = z.object({
  rows: z.array(
    z.object({
      destination: z.string(),
      what: z.string(),
      expected: reachSchema,
      seen: reachSchema,
    }),
  ),
  passed: z.boolean(),
});
export type ProbeView = z.infer<typeof probeSchema>;

/** A VM as the operator sees it. */
const operatorVmSchema = vmSchema.extend({
  owner: requestorIdSchema,
  ageSeconds: z.number().int().nonnegative(),
});
export const vmsSchema = z.object({ vms: z.array(operatorVmSchema) });
export type OperatorVms = z.infer<typeof vmsSchema>['vms'];

/** Guests of the hypervisor that belong to no VM. */
export const orphansSchema = z.object({
  orphans: z.array(
    z.object({
      vmId: vmIdSchema,
      state: z.string(),
      firstSeen: time,
      /** When it is removed; null when only the operator does that. */
      removedAt: time.nullable(),
    }),
  ),
});
export type OrphanViews = z.infer<typeof orphansSchema>['orphans'];

/** Query of what was earned; days and months are those of UTC. */
export const earningsQuerySchema = z.strictObject({
  by: z.enum(['vm', 'day', 'month']),
  /** From this time on, up to and without `to`. */
  from: time.optional(),
  to: time.optional(),
});
export type EarningsQuestion = z.infer<typeof earningsQuerySchema>;

export const earningsSchema = z.object({
  rows: z.array(
    z.object({
      /** Id of the VM, `2026-12-31`, or `2026-12`. */
      key: z.string(),
      vm: z.object({ name: z.string(), owner: z.string() }).optional(),
      /** Time that was charged in full, and time in which disks alone were. */
      runningMillis: z.number(),
      storedMillis: z.number(),
      nanoUsd: z.number(),
    }),
  ),
  /** nano-USD; rows are rounded down each for itself, and need not add up to it. */
  total: z.number(),
});
export type EarningsView = z.infer<typeof earningsSchema>;

export const statusSchema = z.object({
  /** Of the program. */
  version: z.string(),
  pid: z.number().int(),
  startedAt: time,
  /** What starts the agent again when it ends. */
  supervisor: z.enum(['systemd', 'launchd']).nullable(),
  provider: z.string(),
  name: z.string(),
  discovery: z.string(),
  dataDir: z.string(),
  /** Null while it goes to stderr. */
  logFile: z.string().nullable(),
  link: z.object({
    phase: z.enum(['connecting', 'connected', 'draining', 'backing-off', 'stopped']),
    /** Since when the connection that serves has been there. */
    since: time.nullable(),
  }),
  driver: z.string(),
  accelerator: z.string(),
  isolation: z.string(),
  hypervisorReachable: z.boolean(),
  mode: modeSchema,
  /** Why no new VMs are taken at the moment; null when they are. */
  closed: z.string().nullable(),
  capacity: amountsSchema,
  available: amountsSchema,
  prices: pricesSchema,
  vms: vmsSchema.shape.vms,
  orphans: orphansSchema.shape.orphans,
  /** nano-USD, of this day and this month of UTC. */
  earnings: z.object({ today: z.number(), month: z.number() }),
  /** How much of the machine is in use, in percent; null where it is not known (yet). CPU without guests. */
  load: z.object({
    cpu: z.number().nullable(),
    memory: z.number().nullable(),
    disk: z.number().nullable(),
  }),
  /** Bytes of all guests. */
  traffic: z.object({
    /** Since the agent was started. */
    received: z.number(),
    sent: z.number(),
    /** Both directions, and those of SSH sessions; null where nobody counts them. */
    month: z.object({ used: z.number(), limit: z.number().nullable() }).nullable(),
  }),
  /** SSH sessions that are open. */
  sessions: z.number().int(),
  /** Settings that wait for the next start. */
  waiting: z.array(z.string()),
});
export type Status = z.infer<typeof statusSchema>;

export const stoppingSchema = z.object({ pid: z.number().int() });

export const reloadedSchema = z.object({
  changed: z.array(z.string()),
  waiting: z.array(z.string()),
});

const valueSchema = z.union([z.string(), z.array(z.string())]);

/** Every setting of the running agent, and where it was said to it. */
export const configSchema = z.object({
  file: z.string(),
  settings: z.array(
    z.object({
      name: z.string(),
      value: valueSchema.nullable(),
      origin: z.string(),
      overrides: z.array(z.object({ value: valueSchema, origin: z.string() })),
      live: z.boolean(),
      /** It was changed, and counts from the next start on. */
      waiting: z.boolean(),
    }),
  ),
});
export type ConfigView = z.infer<typeof configSchema>;
