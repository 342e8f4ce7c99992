/** What a guest is started with: one JSON file, written whole or not at all. */
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { readRecordFile, recordedSizeSchema } from '../records.ts';
import type { GuestFolder } from './folder.ts';

const recordSchema = recordedSizeSchema.extend({
  /** The qcow2 that its disk is an overlay of. */
  image: z.string(),
  /** The disk has all of its room from the beginning. */
  reserved: z.boolean(),
  hostKey: z.string(),
  readyMarker: z.string().optional(),
  kernel: z.object({ vmlinuz: z.string(), initrd: z.string(), append: z.string() }).optional(),
  /**
   * Its memory is on the disk, and it has not run since: see suspend.ts. `machine` is QEMU's name of
   * the very board that it ran on.
   */
  suspended: z.object({ machine: z.string() }).optional(),
  /** The snapshot that its disk is being taken back to; nothing else may be done before. */
  restoring: z.string().optional(),
});
/** Written last of all files: a folder without it is half-made. */
export type GuestRecord = z.infer<typeof recordSchema>;

/** Resolves when the record would outlive a power cut. */
export async function writeRecord(folder: GuestFolder, record: GuestRecord): Promise<void> {
  const next = join(folder.path, 'guest.json.next');
  await writeFile(next, JSON.stringify(record), { mode: 0o600, flush: true });
  await rename(next, join(folder.path, 'guest.json'));
  await using directory = await open(folder.path);
  await directory.sync();
}

/**
 * @throws {DriverError} `absent` for a guest that does not exist or is only half made;
 * `unavailable` when its record is damaged.
 */
export async function readRecord(folder: GuestFolder): Promise<GuestRecord> {
  return readRecordFile(join(folder.path, 'guest.json'), recordSchema);
}
