/**
 * What is in the file of a VM. Version 2 says where its provider is reached, and leaves out a key that
 * is the requestor's own one, so that the folder can be moved; files without a version are read as well.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { operationIdSchema, providerIdSchema } from '@vm-on-golem/shared/ids';
import { vmNameSchema, vmSchema } from '@vm-on-golem/shared/vm';
import * as z from 'zod';
import type { Rental } from '../sdk/ports.ts';

const ENTRY_VERSION = 2;

/** A rental of which the key that opens it is known. */
export type VmEntry = Rental & { readonly sshKey: string };

export const entrySchema = z.object({
  version: z.literal(ENTRY_VERSION).optional(),
  name: vmNameSchema,
  provider: providerIdSchema,
  discovery: z.url().optional(),
  pending: z
    .object({
      idempotencyKey: z.string(),
      body: z.string(),
      operation: operationIdSchema.optional(),
    })
    .optional(),
  vm: vmSchema.optional(),
  sshKey: z.string().optional(),
  seenAt: z.iso.datetime().optional(),
});

/** Whether it can be the name of a VM, and so of its file. */
export function isName(text: string): boolean {
  return vmNameSchema.safeParse(text).success;
}

/**
 * @param file named in errors
 * @param ownKey private key file of entries that name none
 * @throws {GolemError} `internal` for what is damaged, `incompatible` for what a newer golem wrote
 */
export function parseEntry(text: string, file: string, ownKey: string): VmEntry {
  const json = jsonOf(text);
  const parsed = entrySchema.safeParse(json);
  if (parsed.success) {
    const { version: _, sshKey = ownKey, ...entry } = parsed.data;
    return { ...entry, sshKey };
  }
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > ENTRY_VERSION) {
    throw new GolemError('incompatible', `${file} was written by a newer golem.`, {
      hint: 'Update this one, or say GOLEM_HOME=... to keep its files elsewhere.',
    });
  }
  throw new GolemError('internal', `${file} is damaged.`, {
    hint: `Remove ${file}; the VM itself is not touched by that, and 'golem vm list' finds it again.`,
    cause: parsed.error,
  });
}

export function entryText(rental: Rental, ownKey: string): string {
  const { sshKey, ...rest } = rental;
  const entry = { version: ENTRY_VERSION, ...rest, ...(sshKey === ownKey ? {} : { sshKey }) };
  return `${JSON.stringify(entry, null, 2)}\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what is wrong with it.
    return undefined;
  }
}
