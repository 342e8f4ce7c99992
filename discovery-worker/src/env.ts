/** What the worker is given: bindings and variables of `wrangler.toml`, or of `selfhost/`. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import * as z from 'zod';
import type { HubPort } from './objects/hub/port.ts';
import type { LimiterPort } from './objects/limiter/port.ts';
import { isOrigin } from './origins.ts';
import { LIMITED, type Limited, type Rate } from './objects/limiter/rates.ts';
import { RELAY_MODES, type RelayMode } from './objects/relay/modes.ts';
import type { RelayPort } from './objects/relay/port.ts';

export interface Env {
  readonly DB: D1Database;
  readonly HUB: DurableObjectNamespace<HubPort>;
  readonly RELAY: DurableObjectNamespace<RelayPort>;
  readonly LIMITER: DurableObjectNamespace<LimiterPort>;
  readonly HUB_SHARDS: number;
  readonly EDGE: 'cloudflare' | 'direct';
  /** With `direct`: where all providers are said to be. */
  readonly COUNTRY?: string;
  /** With `direct`: addresses or CIDR blocks whose `x-forwarded-for` is believed. */
  readonly TRUSTED_PROXIES?: readonly string[];
  /** How relays move bytes: `objects/relay/passage.ts`. */
  readonly RELAY_MODE: RelayMode;
  /** Payload that one relay session may carry, in bytes, where the mode can count it. */
  readonly RELAY_SESSION_BYTES?: number;
  /** How long one relay session may last. */
  readonly RELAY_SESSION_SECONDS?: number;
  /** How long a relay session is kept that lost its legs. */
  readonly RELAY_GRACE_SECONDS?: number;
  /** Origins whose pages may use the API; `*` for all. */
  readonly CORS_ORIGINS?: readonly string[];
  /** Overrides of the defaults in `objects/limiter/rates.ts`. */
  readonly RATES?: Partial<Record<Limited, Rate>>;
}

const rateSchema = z.strictObject({
  perSecond: z.number().positive(),
  burst: z.number().int().positive(),
}) satisfies z.ZodType<Rate>;

/** Of an SSH session more than anybody's backup, at 13 US cents of requests. */
const TIB = 2 ** 40;
const MONTH_SECONDS = 30 * 24 * 60 * 60;

const settingsSchema = z.object({
  HUB_SHARDS: z.coerce.number().int().min(1).max(10_000),
  EDGE: z.enum(['cloudflare', 'direct']),
  COUNTRY: z
    .string()
    .regex(/^(?:[A-Z]{2}|unknown)$/)
    .default('unknown'),
  TRUSTED_PROXIES: z.array(z.string()).default([]),
  RELAY_MODE: z.enum(RELAY_MODES),
  RELAY_SESSION_BYTES: z.coerce.number().int().positive().default(TIB),
  RELAY_SESSION_SECONDS: z.coerce.number().int().positive().default(MONTH_SECONDS),
  RELAY_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .positive()
    .max(LIMITS.relay.graceMaxSeconds)
    .default(LIMITS.relay.graceSeconds),
  CORS_ORIGINS: z.array(z.string().refine(isOrigin, 'not an origin')).max(64).default([]),
  RATES: z.partialRecord(z.enum(LIMITED), rateSchema).default({}),
});
export type Settings = z.output<typeof settingsSchema>;

let parsed: { readonly env: Env; readonly settings: Settings } | undefined;

/** The variables of `env`, checked once. */
export function settingsOf(env: Env): Settings {
  if (parsed?.env === env) return parsed.settings;
  const result = settingsSchema.safeParse(env);
  if (!result.success) {
    throw new GolemError('internal', 'The service is not set up as it must be.', {
      cause: result.error,
    });
  }
  parsed = { env, settings: result.data };
  return result.data;
}
