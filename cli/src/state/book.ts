/**
 * What this requestor rents, as far as this machine knows: a cache of what providers said, one file
 * for each VM, so that two terminals at once spoil nothing.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { operationIdSchema, providerIdSchema } from '@vm-on-golem/shared/ids';
import { vmNameSchema, vmSchema } from '@vm-on-golem/shared/vm';
import * as z from 'zod';
import type { Rental, Rentals } from '../sdk/ports.ts';
import { createFile, readIfThere, replaceFile } from './files.ts';

const entrySchema = z.object({
  name: vmNameSchema,
  provider: providerIdSchema,
  /** A creation that was sent, and of which no end was seen yet. */
  pending: z
    .object({
      idempotencyKey: z.string(),
      /** To be sent again as it is: the key belongs to these bytes. */
      body: z.string(),
      operation: operationIdSchema.optional(),
    })
    .optional(),
  /** As the provider last signed it. */
  vm: vmSchema.optional(),
  /** Private key file for SSH; one's own if unsaid. */
  sshKey: z.string().optional(),
  seenAt: z.iso.datetime().optional(),
});
export type VmEntry = z.infer<typeof entrySchema>;

export class VmBook implements Rentals {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async get(name: string): Promise<VmEntry | undefined> {
    if (!vmNameSchema.safeParse(name).success) return undefined;
    const text = await readIfThere(this.#path(name));
    return text === undefined ? undefined : this.#parse(name, text);
  }

  /** In the order of their names. */
  async all(): Promise<VmEntry[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(this.#folder))
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length));
    const entries = await Promise.all(names.sort().map((name) => this.get(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async put(entry: VmEntry): Promise<void> {
    await replaceFile(this.#path(entry.name), textOf(entry));
  }

  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true });
  }

  async claim(name: string, first: Rental): Promise<boolean> {
    const text = textOf(first);
    return (await createFile(this.#path(name), text)) === text;
  }

  async update(
    name: string,
    vmId: string | undefined,
    change: (now: Rental) => Rental | undefined,
  ): Promise<void> {
    const now = await this.get(name);
    if (!now || now.vm?.id !== vmId) return;
    const next = change(now);
    if (next) await replaceFile(this.#path(name), textOf(next));
    else await this.remove(name);
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }

  #parse(name: string, text: string): VmEntry {
    try {
      return entrySchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new GolemError('internal', `What is stored about '${name}' cannot be read.`, {
        hint: `Remove ${this.#path(name)}; the VM itself is not touched by that.`,
        cause,
      });
    }
  }
}

function textOf(entry: Rental): string {
  return `${JSON.stringify(entry, null, 2)}\n`;
}
