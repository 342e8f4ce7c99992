/** Rows of the store, read back as records. What is not as it was written is an error. */
import { operationKindSchema, stageSchema } from '@vm-on-golem/shared/api';
import { errorSchema, isErrorCode } from '@vm-on-golem/shared/error-body';
import type { ErrorCode } from '@vm-on-golem/shared/errors';
import { actorSchema } from '@vm-on-golem/shared/vm-records';
import { resourcesSchema } from '@vm-on-golem/shared/vm';
import * as z from 'zod';
import { POWERS, VM_PHASES } from '../machine.ts';

export const amountsRow = z.object({
  cpus: z.number(),
  memoryMiB: z.number(),
  storageGiB: z.number(),
  vms: z.number(),
});

export const endedRow = z.object({ at: z.number() });

export const holdingRow = z.object({
  owner: z.string(),
  vms: z.number(),
  cpus: z.number(),
  memoryMiB: z.number(),
});

const json = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .nullable()
    .transform((text): unknown => (text === null ? undefined : JSON.parse(text)))
    .pipe(schema.optional());

const holdSchema = z.object({
  why: z.enum(['lease', 'drain']),
  until: z.number(),
  ran: z.boolean(),
});

const argsSchema = z.object({
  snapshot: z.string().optional(),
  graceMillis: z.number().optional(),
  resources: resourcesSchema.optional(),
  hourlyPrice: z.number().optional(),
  storagePrice: z.number().optional(),
});

export const vmRow = z
  .object({
    seq: z.number(),
    id: z.string(),
    owner: z.string(),
    name: z.string(),
    phase: z.enum(VM_PHASES),
    power: z.enum(POWERS),
    removing: z.number(),
    image: z.string(),
    cpus: z.number(),
    memory_mib: z.number(),
    storage_gib: z.number(),
    hourly_price: z.number(),
    storage_price: z.number(),
    user: z.string(),
    host_key: z.string(),
    labels: json(z.record(z.string(), z.string())),
    created_at: z.number(),
    gone_at: z.number().nullable(),
    lease_until: z.number().nullable(),
    destroy_at: z.number().nullable(),
    collect_by: z.number().nullable(),
    hold: json(holdSchema),
    boot: z.string().nullable(),
    growing: json(resourcesSchema),
    gone_by: actorSchema.nullable(),
    gone_why: z.string().nullable(),
  })
  .transform((row) => ({
    seq: row.seq,
    id: row.id,
    owner: row.owner,
    name: row.name,
    phase: row.phase,
    power: row.power,
    removing: row.removing === 1,
    image: row.image,
    resources: { cpus: row.cpus, memoryMiB: row.memory_mib, storageGiB: row.storage_gib },
    hourlyPrice: row.hourly_price,
    storagePrice: row.storage_price,
    user: row.user,
    hostKey: row.host_key,
    labels: row.labels,
    createdAt: row.created_at,
    leaseUntil: row.lease_until,
    destroyAt: row.destroy_at,
    collectBy: row.collect_by,
    hold: row.hold ?? null,
    boot: row.boot,
    growing: row.growing ?? null,
    goneAt: row.gone_at,
    goneBy: row.gone_by,
    goneWhy: row.gone_why,
  }));

/** Written by this program: no code is unknown. */
const ownErrorSchema = errorSchema.extend({
  code: z.custom<ErrorCode>((code) => typeof code === 'string' && isErrorCode(code)),
});

export const operationRow = z
  .object({
    id: z.string(),
    vm_id: z.string(),
    owner: z.string(),
    kind: operationKindSchema,
    actor: actorSchema,
    args: json(argsSchema),
    request: z.string().nullable(),
    state: z.enum(['running', 'succeeded', 'failed']),
    error: json(ownErrorSchema),
  })
  .transform(({ vm_id: vmId, ...row }) => ({
    ...row,
    vmId,
    args: row.args ?? {},
    request: row.request ?? undefined,
    error: row.error,
  }));

export const eventRow = z.object({ n: z.number(), at: z.number(), stage: stageSchema });

export const orphanRow = z
  .object({ vm_id: z.string(), first_seen: z.number(), ended: z.number() })
  .transform((row) => ({ vmId: row.vm_id, firstSeen: row.first_seen, ended: row.ended === 1 }));

export const rememberedRow = z.object({
  digest: z.string(),
  status: z.number(),
  body: z.string(),
});
