/** What a memory guest is on disk: one JSON file, written whole or not at all. */
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import * as z from 'zod';
import { DriverError } from '../driver.ts';
import { checkVmId } from '../names.ts';

/** Contents by path, in base64. */
const filesSchema = z.record(z.string(), z.string());
const recordSchema = z.object({
  state: z.enum(['stopped', 'running', 'suspended']),
  size: z.object({ cpus: z.number(), memoryMiB: z.number(), storageGiB: z.number() }),
  minMemoryMiB: z.number(),
  user: z.string(),
  /** OpenSSH line. */
  hostKey: z.string(),
  seed: z.object({ userData: z.string(), metaData: z.string() }),
  console: z.array(z.string()),
  /** Another one with every boot. */
  bootId: z.string(),
  disk: filesSchema,
  /** Gone with every shutdown. */
  memory: filesSchema,
  /** Oldest first. */
  snapshots: z.array(z.object({ name: z.string(), createdAt: z.number(), disk: filesSchema })),
});
export type GuestRecord = z.infer<typeof recordSchema>;

/** Files of one state directory. Writes of one instance happen one after the other. */
export class GuestRecords {
  readonly #stateDir: string;
  #writes: Promise<unknown> = Promise.resolve();

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#stateDir, { recursive: true, mode: 0o700 });
  }

  /** @throws {DriverError} `exists` */
  create(vmId: string, record: GuestRecord): Promise<void> {
    return this.#inTurn(async () => {
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

  /** @throws {DriverError} `absent`, or `unavailable` when the file makes no sense. */
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

  /** @throws {DriverError} as `read`; a guest that was destroyed meanwhile does not come back. */
  update(vmId: string, change: (record: GuestRecord) => GuestRecord): Promise<void> {
    return this.#inTurn(async () => {
      const next = await this.#writeNext(vmId, change(await this.read(vmId)));
      await rename(next, this.#path(vmId));
    });
  }

  remove(vmId: string): Promise<void> {
    return this.#inTurn(async () => {
      await rm(this.#path(vmId), { force: true });
      await rm(this.#nextPath(vmId), { force: true });
    });
  }

  async ids(): Promise<string[]> {
    const names = await readdir(this.#stateDir);
    return names
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .filter((id) => vmIdSchema.safeParse(id).success)
      .sort();
  }

  async #writeNext(vmId: string, record: GuestRecord): Promise<string> {
    const next = this.#nextPath(vmId);
    await writeFile(next, JSON.stringify(record), { mode: 0o600 });
    return next;
  }

  #path(vmId: string): string {
    checkVmId(vmId);
    return join(this.#stateDir, `${vmId}.json`);
  }

  #nextPath(vmId: string): string {
    return `${this.#path(vmId)}.next`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writes.then(work);
    this.#writes = done.catch(() => undefined);
    return done;
  }
}
