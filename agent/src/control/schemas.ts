/**
 * What `golem-provider` asks the agent that runs on the same machine, and what it answers: JSON over
 * HTTP over a socket that only its user can open. Both ends are of one release, mostly: fields are
 * added and never change their meaning, and what cannot be kept gets a new version in the path.
 */
import { LIMITS } from '@vm-on-golem/shared/limits';
import { pricesSchema } from '@vm-on-golem/shared/money';
import { amountsSchema } from '@vm-on-golem/shared/offer';
import * as z from 'zod';

export const controlPaths = {
  status: '/v1/status',
  stop: '/v1/stop',
  reload: '/v1/reload',
} as const;

const time = z.iso.datetime();

export const linkViewSchema = z.object({
  phase: z.enum(['connecting', 'connected', 'draining', 'backing-off', 'stopped']),
  /** Since when the connection that serves has been there. */
  since: time.nullable(),
});

export const statusSchema = z.object({
  /** Of the program. */
  version: z.string(),
  pid: z.number().int(),
  startedAt: time,
  /** What starts the agent again when it ends. */
  supervisor: z.enum(['systemd', 'launchd']).nullable(),
  provider: z.string(),
  name: z.string(),
  discovery: z.string(),
  dataDir: z.string(),
  /** Null while it goes to stderr. */
  logFile: z.string().nullable(),
  link: linkViewSchema,
  driver: z.string(),
  accelerator: z.string(),
  isolation: z.string(),
  /** Why no new VMs are taken at the moment; null when they are. */
  closed: z.string().nullable(),
  capacity: amountsSchema,
  available: amountsSchema,
  prices: pricesSchema,
  /** SSH sessions that are open. */
  sessions: z.number().int(),
  /** Settings that wait for the next start. */
  waiting: z.array(z.string()),
});
export type Status = z.infer<typeof statusSchema>;

export const stoppingSchema = z.object({ pid: z.number().int() });

export const reloadedSchema = z.object({
  changed: z.array(z.string()),
  waiting: z.array(z.string()),
});

/** The operator's words to the owners of VMs. */
export const reasonSchema = z.string().trim().min(1).max(LIMITS.vm.reasonChars);
