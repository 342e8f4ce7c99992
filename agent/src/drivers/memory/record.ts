/** What a memory guest is on disk. */
import * as z from 'zod';

/** Contents by path, in base64. */
const filesSchema = z.record(z.string(), z.string());
export const recordSchema = z.object({
  state: z.enum(['stopped', 'running', 'suspended']),
  size: z.object({ cpus: z.number(), memoryMiB: z.number(), storageGiB: z.number() }),
  minMemoryMiB: z.number(),
  user: z.string(),
  /** OpenSSH line. */
  hostKey: z.string(),
  seed: z.object({ userData: z.string(), metaData: z.string() }),
  console: z.array(z.string()),
  /** Bytes that were written to the console before these lines. */
  dropped: z.number().default(0),
  /** Another one with every boot. */
  bootId: z.string(),
  disk: filesSchema,
  /** Gone with every shutdown. */
  memory: filesSchema,
  /** Oldest first. */
  snapshots: z.array(z.object({ name: z.string(), createdAt: z.number(), disk: filesSchema })),
});
export type GuestRecord = z.infer<typeof recordSchema>;
