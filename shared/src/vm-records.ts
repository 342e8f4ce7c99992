/** What a provider writes down about a VM for its owner to read: what happened, and what it cost. */
import * as z from 'zod';
import { word } from './compat.ts';
import { requestorIdSchema, vmIdSchema } from './ids.ts';
import { LIMITS } from './limits.ts';
import { resourcesSchema, vmNameSchema } from './vm.ts';

/** Who did it: the owner, a key that the VM is shared with, the operator, the agent by itself. */
export const actorSchema = z.enum(['owner', 'grantee', 'provider', 'agent', 'guest']);
export type Actor = z.infer<typeof actorSchema>;

/**
 * Lines of a VM's history. What an operation does is `<kind>` when it begins and `<kind>.done` or
 * `<kind>.failed` when it ends.
 */
export const vmEventSchema = z.object({
  /** Counts from 1 within the VM. */
  n: z.number().int().positive(),
  at: z.iso.datetime(),
  /** Such as `create`, `start.done`, `up`, `down`, `lost`, `lease.renewed`, `lease.ended`, `evict`, `drain`. */
  kind: z.string().max(40),
  by: word(actorSchema.options),
  /** In words, where there is more to say. */
  message: z.string().max(LIMITS.vm.reasonChars).optional(),
});
export type VmEvent = z.infer<typeof vmEventSchema>;

/** Answer to `GET .../events?after=N&wait=S`, for VMs that are gone as well, by id, for a week. */
export const vmEventsPageSchema = z.object({ events: z.array(vmEventSchema) });
export type VmEventsPage = z.infer<typeof vmEventsPageSchema>;

/**
 * One interval in which nothing about the price of a VM changed. Records of a VM neither overlap nor
 * leave a gap that it was there in; they are only ever added.
 */
export const usageRecordSchema = z.object({
  vmId: vmIdSchema,
  name: vmNameSchema,
  owner: requestorIdSchema,
  from: z.iso.datetime({ precision: 3 }),
  to: z.iso.datetime({ precision: 3 }),
  /** Whether processors and memory were charged, or the disk alone. */
  running: z.boolean(),
  resources: z.object(resourcesSchema.shape),
  /** nano-USD an hour in this interval. */
  hourlyPrice: z.number().int().nonnegative(),
  /** nano-USD for this interval, rounded down. Sums are made of `hourlyPrice` and time, and rounded once. */
  amount: z.number().int().nonnegative(),
});
export type UsageRecord = z.infer<typeof usageRecordSchema>;

/** Query of `GET /v1/providers/{id}/usage`: the signer's own VMs, those that are gone included. */
export const usageQuerySchema = z.strictObject({
  vm: vmIdSchema.optional(),
  cursor: z.string().max(LIMITS.list.cursorChars).optional(),
});

export const usagePageSchema = z.object({
  records: z.array(usageRecordSchema),
  next: z.string().nullable(),
  /** nano-USD of all that the query is about, not of this page alone; the time up to now included. */
  total: z.number().int().nonnegative(),
});
export type UsagePage = z.infer<typeof usagePageSchema>;
