/**
 * Lets pages of other origins use the API, where the setting says which. What is signed needs no
 * more protection than that: no cookie and no address opens anything here.
 */
import { ANSWER_HEADERS } from '@vm-on-golem/shared/answers';
import { PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import { SIGNED_REQUEST_HEADERS } from '@vm-on-golem/shared/signing';
import { cors } from 'hono/cors';
import { createMiddleware } from 'hono/factory';
import { settingsOf } from '../env.ts';
import { REQUEST_ID_HEADER } from '../objects/answers.ts';
import { isUpgrade } from '../objects/upgrade.ts';
import type { AppEnv } from './context.ts';

/** Browsers keep a preflight's answer two hours at most. */
const MAX_AGE_SECONDS = 7200;

export const crossOrigin = createMiddleware<AppEnv>(async (c, next) => {
  const origins = settingsOf(c.env).CORS_ORIGINS;
  // Browsers ask nobody before they open a WebSocket, and its answer cannot be changed here.
  if (origins.length === 0 || isUpgrade(c.req.raw)) return next();
  const allow = cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST', 'DELETE'],
    allowHeaders: [...SIGNED_REQUEST_HEADERS, 'content-type', PROTOCOL_HEADER],
    // Without the first of them no answer of a provider can be believed.
    exposeHeaders: [...ANSWER_HEADERS, PROTOCOL_HEADER, REQUEST_ID_HEADER, 'retry-after'],
    maxAge: MAX_AGE_SECONDS,
  });
  return allow(c, next);
});
