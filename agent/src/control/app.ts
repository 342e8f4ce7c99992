/** The operator's API, as a hono app: a route parses, makes one call, and answers. */
import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { GolemError, invalid } from '@vm-on-golem/shared/errors';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import type * as z from 'zod';
import type { Reloaded } from '../config/live.ts';
import { AGENT_LIMITS } from '../limits.ts';
import {
  controlPaths,
  drainSchema,
  earningsQuerySchema,
  evictSchema,
  type ConfigView,
  type Drain,
  type EarningsQuestion,
  type EarningsView,
  type ModeView,
  type OperatorVms,
  type OrphanViews,
  type ProbeView,
  type Status,
} from './schemas.ts';

/** What an operator may do to a running agent. Whatever is refused is a `GolemError`. */
export interface Controls {
  status(): Status;
  config(): ConfigView;
  /** Reads the configuration anew. */
  reload(): Reloaded;
  /** Begins to stop; guests run on. */
  stop(): void;
  pause(): ModeView;
  resume(): ModeView;
  drain(drain: Drain): ModeView;
  /** Boots a guest that belongs to nobody, and has it try where it gets to. */
  probe(signal: AbortSignal): Promise<ProbeView>;
  vms(): OperatorVms;
  /** @returns the operation that destroys it */
  evict(ref: string, reason: string): string;
  earnings(query: EarningsQuestion): EarningsView;
  orphans(): OrphanViews;
  removeOrphan(vmId: string): Promise<void>;
}

/** For a server that only the operator can reach. */
export function operatorListener(controls: Controls, log: Logger): RequestListener {
  const listener = getRequestListener(createControlApp(controls, log).fetch);
  // Every failure is an answer, so there is nothing left to be caught.
  return (request, response) => void listener(request, response);
}

function createControlApp(controls: Controls, log: Logger): Hono {
  const app = new Hono();
  app.use(bodyLimit({ maxSize: AGENT_LIMITS.control.bodyBytes, onError: tooLarge }));
  app.get(controlPaths.status, (c) => c.json(controls.status()));
  app.get(controlPaths.config, (c) => c.json(controls.config()));
  app.post(controlPaths.reload, (c) => c.json(controls.reload()));
  app.post(controlPaths.stop, (c) => {
    log.info('stopping, as the operator asked for it');
    controls.stop();
    return c.json({ pid: process.pid }, 202);
  });
  app.post(controlPaths.pause, (c) => c.json(controls.pause()));
  app.post(controlPaths.resume, (c) => c.json(controls.resume()));
  app.post(controlPaths.drain, async (c) => c.json(controls.drain(await bodyOf(c, drainSchema))));
  app.post(controlPaths.probe, async (c) => c.json(await controls.probe(c.req.raw.signal)));
  app.get(controlPaths.vms, (c) => c.json({ vms: controls.vms() }));
  app.post(`${controlPaths.vms}/:ref/evict`, async (c) => {
    const { reason } = await bodyOf(c, evictSchema);
    return c.json({ operation: controls.evict(c.req.param('ref'), reason) }, 202);
  });
  app.get(controlPaths.earnings, (c) => {
    const query = earningsQuerySchema.safeParse(c.req.query());
    if (!query.success) throw invalid('The request', query.error);
    return c.json(controls.earnings(query.data));
  });
  app.get(controlPaths.orphans, (c) => c.json({ orphans: controls.orphans() }));
  app.delete(`${controlPaths.orphans}/:vm`, async (c) => {
    await controls.removeOrphan(c.req.param('vm'));
    return c.json({ orphans: controls.orphans() });
  });
  app.notFound(() =>
    refusal(
      new GolemError('unsupported', 'The agent that runs here does not know this.', {
        hint: 'It may be of another version: start it again.',
      }),
    ),
  );
  app.onError((error) => {
    if (error instanceof GolemError) return refusal(error);
    log.error({ err: error }, 'a request of the operator failed');
    return refusal(new GolemError('internal'));
  });
  return app;
}

async function bodyOf<Body>(c: Context, schema: z.ZodType<Body>): Promise<Body> {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch (cause) {
    throw new GolemError('invalid_request', 'The request is not JSON.', { cause });
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw invalid('The request', parsed.error);
  return parsed.data;
}

function refusal(error: GolemError): Response {
  return Response.json(error.toBody(), { status: error.status });
}

function tooLarge(): Response {
  return refusal(new GolemError('payload_too_large'));
}
