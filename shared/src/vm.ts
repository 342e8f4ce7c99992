/** A VM as its owner sees it: what may be asked for, the states it passes through. */
import * as z from 'zod';
import { word } from './compat.ts';
import { LIMITS } from './limits.ts';
import { requestorIdSchema, vmIdSchema } from './ids.ts';

export const resourcesSchema = z.strictObject({
  cpus: z.number().int().min(1).max(LIMITS.vm.cpus),
  memoryMiB: z.number().int().min(64).max(LIMITS.vm.memoryMiB),
  storageGiB: z.number().int().min(1).max(LIMITS.vm.storageGiB),
});
export type Resources = z.infer<typeof resourcesSchema>;

/** Named sizes: what most people want, and what odd sizes are sorted by. */
export const SIZES = {
  small: { cpus: 1, memoryMiB: 1024, storageGiB: 10 },
  medium: { cpus: 2, memoryMiB: 4096, storageGiB: 20 },
  large: { cpus: 4, memoryMiB: 8192, storageGiB: 40 },
  xlarge: { cpus: 8, memoryMiB: 16384, storageGiB: 80 },
} as const satisfies Record<string, Resources>;
export type SizeName = keyof typeof SIZES;

/** Whether `a` has room for `b`. */
export function fits(a: Resources, b: Resources): boolean {
  return a.cpus >= b.cpus && a.memoryMiB >= b.memoryMiB && a.storageGiB >= b.storageGiB;
}

/** One DNS label that is no option, no path and no id. */
const label = () =>
  z
    .string()
    .max(LIMITS.vm.nameChars)
    .regex(
      /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/,
      'a name is lower-case letters, digits and dashes, and starts with a letter',
    );

/** Becomes the guest's hostname. */
export const vmNameSchema = label();
/** Unique within one VM. */
export const snapshotNameSchema = label();

/** The guest's account. Goes into ssh's options and files: no option, no white space, no quote. */
const userNameSchema = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'not the name of an account');

export const imageIdSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9.-]{0,63}$/,
    'an image is named by lower-case letters, digits, dots and dashes',
  );

/** One line of an authorized_keys file without options, of a key type that is still safe. */
export const sshPublicKeySchema = z
  .string()
  .max(LIMITS.vm.sshKeyBytes)
  .regex(
    /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+={0,3}(?: [\x21-\x7e ]{0,200})?$/,
    'not an OpenSSH public key line',
  );

/**
 * - `creating`: from the first intent until the guest answers SSH, or until it failed and was removed
 * - `running`, `stopped`, `suspended`: settled; a suspended one has its memory on the disk
 * - `starting`, `stopping`, `suspending`, `destroying`: an operation is at work; `changing`: its disk or
 *   its size is being changed
 * - `failed`: a launch failed and its leftovers could not all be removed yet
 * - `unknown`: the hypervisor cannot be asked; nothing is assumed and nothing is removed
 */
export const vmStateSchema = z.enum([
  'creating',
  'running',
  'stopped',
  'suspended',
  'starting',
  'stopping',
  'suspending',
  'changing',
  'destroying',
  'failed',
  'unknown',
]);
export type VmState = z.infer<typeof vmStateSchema>;

export const vmNoticeSchema = z.object({
  /**
   * - `drain`: the provider stops its VMs at `at`, and keeps their disks for a while
   * - `drained`: that has happened; at `at` its disk is removed, unless the provider goes on after all
   * - `lease_ended`: it was stopped; at `at` its disk is removed, unless its lease is renewed
   * - `unknown`: something that only a newer version knows
   */
  kind: word(['drain', 'drained', 'lease_ended']),
  /** ISO 8601. */
  at: z.iso.datetime(),
  /** The operator's words. */
  reason: z.string().max(LIMITS.vm.reasonChars).optional(),
});
export type VmNotice = z.infer<typeof vmNoticeSchema>;

export const vmSchema = z.object({
  id: vmIdSchema,
  name: vmNameSchema,
  /** One that only a newer version knows is `unknown`. */
  state: word(vmStateSchema.options),
  image: imageIdSchema,
  resources: z.object(resourcesSchema.shape),
  /** nano-USD an hour, fixed at creation. */
  hourlyPrice: z.number().int().nonnegative(),
  /** The account that the owner's key opens. */
  user: userNameSchema,
  /** OpenSSH line of the guest's host key, known before the guest first boots. */
  hostKey: sshPublicKeySchema,
  labels: z.record(z.string().max(63), z.string().max(63)).optional(),
  /** ISO 8601. */
  createdAt: z.iso.datetime(),
  /** The end of its lease, unless the owner renews it: then it is stopped. ISO 8601. */
  leaseUntil: z.iso.datetime().optional(),
  /** The end that its owner gave it: then it is destroyed. ISO 8601. */
  destroyAt: z.iso.datetime().optional(),
  /** What the provider has announced or done that its owner should know of. */
  notice: vmNoticeSchema.optional(),
  /** The owner, where that is not whoever asks: the VM is shared with them. `gr_...`. */
  sharedBy: requestorIdSchema.optional(),
});
export type Vm = z.infer<typeof vmSchema>;
