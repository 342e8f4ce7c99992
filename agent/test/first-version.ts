/**
 * What the first version of `golem` takes for an answer, word for word as it was: it reads nothing
 * leniently. Never to be changed: what is answered today has to pass for as long as that version counts.
 */
import * as z from 'zod';

const id = (prefix: string, length: number) =>
  z.string().regex(new RegExp(`^${prefix}_[a-z2-7]{${length}}$`));
const vmId = id('vm', 20);
const requestorId = id('gr', 26);
const name = z
  .string()
  .max(40)
  .regex(/^[a-z](?:[a-z0-9-]*[a-z0-9])?$/);
const time = z.iso.datetime();
const whole = z.number().int().nonnegative();
const resources = z.strictObject({ cpus: whole, memoryMiB: whole, storageGiB: whole });
const amounts = z.strictObject({ cpus: whole, memoryMiB: whole, storageGiB: whole, vms: whole });

const error = z.object({
  code: z.enum([
    ...(['invalid_request', 'bad_signature', 'clock_skew', 'stale_request', 'replayed'] as const),
    ...(['forbidden', 'not_found', 'vm_not_found', 'provider_not_found'] as const),
    ...(['operation_not_found', 'session_not_found', 'vm_gone', 'vm_exists'] as const),
    ...(['wrong_state', 'idempotency_conflict', 'duplicate_identity', 'stale_epoch'] as const),
    ...(['no_capacity', 'price_too_high', 'payload_too_large', 'image_unknown'] as const),
    ...(['unsupported', 'rate_limited', 'internal', 'launch_failed', 'provider_offline'] as const),
    ...(['provider_busy', 'link_lost', 'draining', 'provider_timeout'] as const),
  ]),
  message: z.string().max(2000),
  hint: z.string().max(2000).optional(),
  retryable: z.boolean(),
  requestId: z.string().max(64).optional(),
  retryAfter: whole.optional(),
});

const vm = z.object({
  id: vmId,
  name,
  state: z.enum([
    ...(['creating', 'running', 'stopped', 'suspended', 'starting', 'stopping'] as const),
    ...(['suspending', 'changing', 'destroying', 'failed', 'unknown'] as const),
  ]),
  image: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  resources,
  hourlyPrice: whole,
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
  hostKey: z.string().max(1024),
  labels: z.record(z.string().max(63), z.string().max(63)).optional(),
  createdAt: time,
  leaseUntil: time.optional(),
  destroyAt: time.optional(),
  notice: z
    .object({
      kind: z.enum(['drain', 'drained', 'lease_ended']),
      at: time,
      reason: z.string().max(200).optional(),
    })
    .optional(),
  sharedBy: requestorId.optional(),
});

export const FIRST_VERSION = {
  error: z.object({ error }),
  vm,
  vms: z.object({ vms: z.array(vm), next: z.string().nullable() }),
  accepted: z.object({ operation: id('op', 20), vm }),
  renewed: z.object({ vm }),
  operation: z.object({
    id: id('op', 20),
    vmId,
    kind: z.enum([
      ...(['create', 'start', 'stop', 'restart', 'suspend', 'resize'] as const),
      ...(['snapshot', 'restore', 'delete-snapshot', 'destroy'] as const),
    ]),
    state: z.enum(['running', 'succeeded', 'failed']),
    events: z.array(
      z.object({
        n: z.number().int().positive(),
        at: time,
        stage: z.enum([
          ...(['accepted', 'image', 'disk', 'boot', 'ssh', 'ready', 'shutdown'] as const),
          ...(['stopped', 'save', 'suspended', 'change', 'changed', 'remove'] as const),
          ...(['gone', 'rollback', 'failed'] as const),
        ]),
      }),
    ),
    vm: vm.nullable(),
    error: error.optional(),
  }),
  snapshots: z.object({ snapshots: z.array(z.object({ name, createdAt: time })) }),
  grants: z.object({
    grants: z.array(z.object({ requestor: requestorId, sshKey: z.string(), grantedAt: time })),
  }),
  console: z.object({ text: z.string() }),
  stats: z.object({
    at: time,
    cpuSeconds: z.number().nullable(),
    memoryBytes: whole.nullable(),
    diskBytes: whole.nullable(),
    receivedBytes: whole.nullable(),
    sentBytes: whole.nullable(),
  }),
  events: z.object({
    events: z.array(
      z.object({
        n: z.number().int().positive(),
        at: time,
        kind: z.string().max(40),
        by: z.enum(['owner', 'grantee', 'provider', 'agent', 'guest']),
        message: z.string().max(200).optional(),
      }),
    ),
  }),
  usage: z.object({
    records: z.array(
      z.object({
        ...{ vmId, name, owner: requestorId, running: z.boolean(), resources },
        from: z.iso.datetime({ precision: 3 }),
        to: z.iso.datetime({ precision: 3 }),
        ...{ hourlyPrice: whole, amount: whole },
      }),
    ),
    next: z.string().nullable(),
    total: whole,
  }),
  offer: z.object({
    version: z.literal(1),
    provider: id('gp', 26),
    publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    sealingKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    name: z
      .string()
      .max(40)
      .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/),
    sequence: whole,
    issuedAt: time,
    driver: z.enum(['qemu', 'multipass', 'memory']),
    arch: z.enum(['x86_64', 'aarch64']),
    accelerator: z.enum(['kvm', 'hvf', 'tcg', 'none']),
    isolation: z.enum(['full', 'restricted', 'none']),
    capacity: amounts,
    available: amounts,
    prices: z.strictObject({ cpuHour: whole, memoryGiBHour: whole, storageGiBHour: whole }),
    images: z.array(z.string()).max(64),
    capabilities: z.array(z.enum(['suspend', 'snapshot', 'resize', 'clone'])),
    accepting: z.boolean(),
  }),
} as const;
