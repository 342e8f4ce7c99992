/**
 * What Multipass does not keep for us. An instance without a record belongs to somebody else, whatever
 * its name is.
 */
import * as z from 'zod';
import { recordedSizeSchema, type GuestRecords } from '../records.ts';

export const recordSchema = recordedSizeSchema.extend({
  /** OpenSSH line. */
  hostKey: z.string(),
  /** Whether Multipass has said that it was launched: until then it may come up yet. */
  launched: z.boolean(),
  /** Whether the instance may have another size than this record. */
  resizing: z.boolean(),
  /** When each snapshot was asked for, in milliseconds since 1970. */
  snapshots: z.record(z.string(), z.number()),
});

export type Records = GuestRecords<z.infer<typeof recordSchema>>;
