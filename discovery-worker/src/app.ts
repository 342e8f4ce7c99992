/** The HTTP API: which routes there are, and what every request passes. */
import { PROTOCOL, type DiscoveryFeature } from '@vm-on-golem/shared/compat';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newRequestId } from '@vm-on-golem/shared/ids';
import { Hono } from 'hono';
import manifest from '../package.json' with { type: 'json' };
import { bounded } from './middleware/bounded.ts';
import { compatible } from './middleware/compatible.ts';
import { crossOrigin } from './middleware/cross-origin.ts';
import type { AppEnv } from './middleware/context.ts';
import { errorResponse, ownHeaders, REQUEST_ID_HEADER } from './objects/answers.ts';
import { agent } from './routes/agent.ts';
import { commands } from './routes/commands.ts';
import { providers } from './routes/providers.ts';
import { requestors } from './routes/requestors.ts';
import { relay } from './routes/relay.ts';
import { ssh } from './routes/ssh.ts';

/** What this service can do beyond the first version. */
const FEATURES: readonly DiscoveryFeature[] = ['my-providers', 'succession'];

export const app = new Hono<AppEnv>();

app.onError((error, c) => errorResponse(error, c.var.requestId));
app.notFound((c) =>
  errorResponse(
    new GolemError('not_found', `There is nothing at ${c.req.method} ${c.req.path.slice(0, 200)}.`),
    c.var.requestId,
  ),
);

app.use(async (c, next) => {
  // Always our own: an inbound one could pass for another request's in the logs.
  c.set('requestId', newRequestId());
  await next();
  // What comes from an object carries it already, and cannot be changed on the way.
  if (!c.res.headers.has(REQUEST_ID_HEADER)) {
    for (const header of Object.entries(ownHeaders(c.var.requestId))) c.res.headers.set(...header);
  }
});
app.use(crossOrigin, compatible, bounded);

app.get('/healthz', (c) => {
  // Cloudflare says so by itself, and workerd of one's own does not: clocks are compared with it.
  c.header('Date', new Date().toUTCString());
  return c.json({
    ok: true,
    version: manifest.version,
    protocol: PROTOCOL.version,
    features: FEATURES,
  });
});
app.route('/', agent);
app.route('/', providers);
app.route('/', ssh);
app.route('/', commands);
app.route('/', relay);
app.route('/', requestors);
