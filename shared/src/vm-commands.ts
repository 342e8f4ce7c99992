/** What is asked and answered about a VM that is there: its size, life, snapshots, and who it is shared with. */
import * as z from 'zod';
import { requestorIdSchema } from './ids.ts';
import { LIMITS } from './limits.ts';
import { wholeNumber } from './numbers.ts';
import { resourcesSchema, snapshotNameSchema, sshPublicKeySchema, vmSchema } from './vm.ts';

/** Body of `POST .../resize`. The VM must be stopped; its disk only grows. Answered with 202. */
export const resizeVmSchema = z.strictObject({
  resources: resourcesSchema,
  /** nano-USD an hour; the new size costs what the provider asks now. */
  maxHourlyPrice: z.number().int().nonnegative().optional(),
});
export type ResizeVm = z.infer<typeof resizeVmSchema>;

/** Body of `POST .../stop` and `.../restart`, which may be empty. Answered with 202. */
export const stopVmSchema = z.strictObject({
  /** Until the plug is pulled; 0 pulls it at once. Without it the guest gets as long as there is. */
  graceSeconds: z.number().int().min(0).max(LIMITS.vm.stopGraceSeconds).optional(),
});
export type StopVm = z.infer<typeof stopVmSchema>;

/** Body of `POST .../renew`. Answered with 200 and the VM. */
export const renewVmSchema = z.strictObject({
  /**
   * How long the lease is to last from now on at least; without it as long as a new VM's. One that
   * ends later stays as it is.
   */
  seconds: z.number().int().min(60).max(LIMITS.vm.lifeSeconds).optional(),
});
export type RenewVm = z.infer<typeof renewVmSchema>;

export const renewedSchema = z.object({ vm: vmSchema });

/** Body of `POST .../snapshots`. The VM must be stopped. Answered with 202. */
export const createSnapshotSchema = z.strictObject({ name: snapshotNameSchema });

/** Answer to `GET .../snapshots`, oldest first. */
export const snapshotsSchema = z.object({
  snapshots: z.array(z.object({ name: snapshotNameSchema, createdAt: z.iso.datetime() })),
});
export type Snapshots = z.infer<typeof snapshotsSchema>;

/** Body of `POST .../grants`: lets another key see the VM and go in. Answered with 200 and all grants. */
export const createGrantSchema = z.strictObject({
  requestor: requestorIdSchema,
  /** Whose key it is that the owner has put into the guest: shown to the owner, and no more. */
  sshKey: sshPublicKeySchema,
});
export type CreateGrant = z.infer<typeof createGrantSchema>;

/** Answer to `GET` and `POST .../grants` and to `DELETE .../grants/{requestor}`. */
export const grantsSchema = z.object({
  grants: z.array(
    z.object({
      requestor: requestorIdSchema,
      sshKey: sshPublicKeySchema,
      grantedAt: z.iso.datetime(),
    }),
  ),
});
export type Grants = z.infer<typeof grantsSchema>;

/** Query of `GET .../console`. */
export const consoleQuerySchema = z.strictObject({
  /** How much of the end; with `after` how much from there on. */
  bytes: wholeNumber(LIMITS.vm.consoleBytes, 1).optional(),
  /** Holds the answer open until there is something past this offset: the `to` of the last answer. */
  after: wholeNumber(Number.MAX_SAFE_INTEGER).optional(),
  /** Seconds; with `after`. */
  wait: wholeNumber(LIMITS.operation.waitSeconds).optional(),
  /** Of the last answer, with `after`: when the console has begun anew its beginning is answered. */
  epoch: wholeNumber(Number.MAX_SAFE_INTEGER).optional(),
});

/**
 * Answer to `GET .../console`: what the guest wrote to its serial console, as UTF-8. Offsets count
 * bytes within one epoch. What lies between two answers, `from` of the one above `to` of the other,
 * was written and is kept no longer. Absent before `console-follow`.
 */
export const consoleSchema = z.object({
  text: z.string(),
  from: z.number().int().nonnegative().optional(),
  to: z.number().int().nonnegative().optional(),
  /** Another one when offsets begin at 0 again: the guest was started, or its log was too long. */
  epoch: z.number().int().nonnegative().optional(),
});
export type Console = z.infer<typeof consoleSchema>;

/** Answer to `GET .../stats`. Null where the hypervisor does not say. */
export const statsSchema = z.object({
  at: z.iso.datetime(),
  /** Since the guest was last started. */
  cpuSeconds: z.number().nonnegative().nullable(),
  memoryBytes: z.number().int().nonnegative().nullable(),
  diskBytes: z.number().int().nonnegative().nullable(),
  receivedBytes: z.number().int().nonnegative().nullable(),
  sentBytes: z.number().int().nonnegative().nullable(),
});
export type Stats = z.infer<typeof statsSchema>;
