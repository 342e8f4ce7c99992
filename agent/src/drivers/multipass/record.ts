/**
 * What Multipass does not keep for us: one file for each guest. An instance without one belongs to
 * somebody else, whatever its name is.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import * as z from 'zod';
import { DriverError } from '../driver.ts';
import { checkVmId } from '../names.ts';

const recordSchema = z.object({
  cpus: z.number().int().positive(),
  memoryMiB: z.number().int().positive(),
  storageGiB: z.number().int().positive(),
  minMemoryMiB: z.number().int().nonnegative(),
  /** OpenSSH line. */
  hostKey: z.string(),
  /** Whether Multipass has said that it was launched: until then it may come up yet. */
  launched: z.boolean(),
  /** Whether the instance may have another size than this record. */
  resizing: z.boolean(),
  /** When each snapshot was asked for, in milliseconds since 1970. */
  snapshots: z.record(z.string(), z.number()),
});
export type GuestRecord = z.infer<typeof recordSchema>;

const SUFFIX = '.json';

export class Records {
  readonly #stateDir: string;

  private constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  static async open(stateDir: string): Promise<Records> {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    return new Records(stateDir);
  }

  /** @throws {DriverError} `exists` */
  async create(vmId: string, record: GuestRecord): Promise<void> {
    const next = await this.#write(vmId, record);
    try {
      // Unlike a rename this fails when there is one.
      await link(next, this.#path(vmId));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new DriverError('exists', 'This guest exists already.', { cause });
    } finally {
      await rm(next, { force: true });
    }
  }

  async update(vmId: string, changes: Partial<GuestRecord>): Promise<GuestRecord> {
    const record = { ...(await this.read(vmId)), ...changes };
    await rename(await this.#write(vmId, record), this.#path(vmId));
    return record;
  }

  /** @throws {DriverError} `absent`; `unavailable` when it is damaged */
  async read(vmId: string): Promise<GuestRecord> {
    let text: string;
    try {
      text = await readFile(this.#path(vmId), 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new DriverError('absent', 'There is no such guest.', { cause });
    }
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new DriverError('unavailable', 'The record of the guest is damaged.', { cause });
    }
  }

  /** Even of a damaged one. */
  async has(vmId: string): Promise<boolean> {
    return stat(this.#path(vmId)).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
  }

  async ids(): Promise<string[]> {
    const names = await readdir(this.#stateDir);
    return names
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length))
      .filter((name) => vmIdSchema.safeParse(name).success);
  }

  async remove(vmId: string): Promise<void> {
    await rm(this.#path(vmId), { force: true });
  }

  #path(vmId: string): string {
    checkVmId(vmId);
    return join(this.#stateDir, `${vmId}${SUFFIX}`);
  }

  async #write(vmId: string, record: GuestRecord): Promise<string> {
    const next = `${this.#path(vmId)}.${randomUUID()}.next`;
    await writeFile(next, JSON.stringify(record), { mode: 0o600, flush: true });
    return next;
  }
}
