/** What drivers keep of their guests: one JSON file each, written whole or not at all. */
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import * as z from 'zod';
import { DriverError } from './driver.ts';
import { checkVmId } from './names.ts';
import { Turns } from './turns.ts';

/** The size of a guest, and the memory that its image needs. */
export const recordedSizeSchema = z.object({
  cpus: z.number().int().positive(),
  memoryMiB: z.number().int().positive(),
  storageGiB: z.number().int().positive(),
  minMemoryMiB: z.number().int().nonnegative(),
});

/** @throws {DriverError} `absent` when there is no such file, `unavailable` when it makes no sense */
export async function readRecordFile<Guest>(
  path: string,
  schema: z.ZodType<Guest>,
): Promise<Guest> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new DriverError('absent', 'There is no such guest.', { cause });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DriverError('unavailable', 'The record of the guest is damaged.', { cause });
  }
}

const SUFFIX = '.json';

/** Files of one folder that holds nothing else. Writes of one instance happen one after the other. */
export class GuestRecords<Guest> {
  readonly #dir: string;
  readonly #schema: z.ZodType<Guest>;
  readonly #turns = new Turns();

  private constructor(dir: string, schema: z.ZodType<Guest>) {
    this.#dir = dir;
    this.#schema = schema;
  }

  static async open<Guest>(dir: string, schema: z.ZodType<Guest>): Promise<GuestRecords<Guest>> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return new GuestRecords(dir, schema);
  }

  /** @throws {DriverError} `exists` */
  create(vmId: string, record: Guest): Promise<void> {
    return this.#turns.take(async () => {
      const next = await this.#writeNext(vmId, record);
      try {
        // Unlike a rename, a link never replaces what is there.
        await link(next, this.#path(vmId));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
        throw new DriverError('exists', 'This guest exists already.', { cause });
      } finally {
        await rm(next, { force: true });
      }
    });
  }

  /** @throws {DriverError} as `readRecordFile` */
  async read(vmId: string): Promise<Guest> {
    return readRecordFile(this.#path(vmId), this.#schema);
  }

  /** @throws {DriverError} as `read`; a guest that was removed meanwhile does not come back */
  update(vmId: string, change: (record: Guest) => Guest): Promise<void> {
    return this.#turns.take(async () => {
      const next = await this.#writeNext(vmId, change(await this.read(vmId)));
      await rename(next, this.#path(vmId));
    });
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

  /** Of all guests, in order. */
  async ids(): Promise<string[]> {
    const names = await readdir(this.#dir);
    return names
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length))
      .filter((name) => vmIdSchema.safeParse(name).success)
      .sort();
  }

  remove(vmId: string): Promise<void> {
    return this.#turns.take(async () => {
      await rm(this.#path(vmId), { force: true });
      await rm(this.#nextPath(vmId), { force: true });
    });
  }

  async #writeNext(vmId: string, record: Guest): Promise<string> {
    const next = this.#nextPath(vmId);
    // What a kill has left may be a second name of the record itself.
    await rm(next, { force: true });
    await writeFile(next, JSON.stringify(record), { mode: 0o600, flush: true });
    return next;
  }

  #path(vmId: string): string {
    checkVmId(vmId);
    return join(this.#dir, `${vmId}${SUFFIX}`);
  }

  #nextPath(vmId: string): string {
    return `${this.#path(vmId)}.next`;
  }
}
