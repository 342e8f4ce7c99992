/** Token buckets in front of everything that costs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { createMiddleware } from 'hono/factory';
import { settingsOf, type Env } from '../env.ts';
import { DEFAULT_RATES, type Limited } from '../objects/limiter/rates.ts';
import { blockOf } from './address.ts';
import type { AppEnv, SignedEnv } from './context.ts';
import { originOf } from './origin.ts';

/** Behind `signed`: a bucket for each signer. Nobody fills another's, nor wakes an object unsigned. */
export function limitedBySigner(what: Limited) {
  return createMiddleware<SignedEnv>(async (c, next) => {
    await take(c.env, what, c.var.signed.proof.keyId);
    await next();
  });
}

/** A bucket for each address, or for each /64 of IPv6. */
export function limitedByAddress(what: Limited) {
  return createMiddleware<AppEnv>(async (c, next) => {
    await take(c.env, what, blockOf(originOf(c.req.raw, settingsOf(c.env)).address));
    await next();
  });
}

async function take(env: Env, what: Limited, key: string): Promise<void> {
  const limiter = env.LIMITER.get(env.LIMITER.idFromName(`${what}:${key}`));
  const retryAfter = await limiter.take(settingsOf(env).RATES[what] ?? DEFAULT_RATES[what]);
  if (retryAfter > 0) throw new GolemError('rate_limited', undefined, { retryAfter });
}
