/**
 * The agent's own HTTP API, as a hono app that no port listens for: requests come through the
 * tunnel, and every answer goes back signed.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { Logger } from 'pino';
import { FairShare } from '../fair-share.ts';
import { currentRequest } from '../log/context.ts';
import type { Vms } from '../vms/vms.ts';
import type { ApiEnv } from './environment.ts';
import type { Gate } from './gate.ts';
import { observed, type Served } from './observed.ts';
import { operationRoutes } from './operations.ts';
import { successionRoutes } from './succession.ts';
import { usageRoutes } from './usage.ts';
import { vmRoutes } from './vms.ts';

export interface ApiOptions {
  readonly gate: Gate;
  readonly vms: Vms;
  readonly log: Logger;
  /** Told of every request that was answered. */
  readonly served?: (call: Served) => void;
}

export function createApp({ gate, vms, log, served }: ApiOptions): Hono<ApiEnv> {
  const admitted = createMiddleware<ApiEnv>(async (c, next) => {
    c.set('admitted', await gate.admit(c.env.wire));
    await next();
  });
  const room = new FairShare(LIMITS.control.inFlight);
  const fairly = createMiddleware<ApiEnv>(async (c, next) => {
    const place = room.enter(c.var.admitted.requestor);
    if (!place) {
      throw new GolemError('provider_busy', 'You have too many requests in flight here.', {
        retryAfter: 1,
      });
    }
    try {
      await next();
    } finally {
      place[Symbol.dispose]();
    }
  });
  const app = new Hono<ApiEnv>();
  if (served) app.use(observed(served));
  // Also before the answer that there is no such route: who is not let in learns nothing.
  app.use(admitted);
  app.use(fairly);
  app.route('/v1/providers/:provider/vms', vmRoutes(vms));
  app.route('/v1/providers/:provider/usage', usageRoutes(vms));
  app.route('/v1/providers/:provider/succession', successionRoutes(vms));
  app.route('/v1/providers/:provider/operations', operationRoutes(vms.queries));
  app.notFound(() => errorResponse(new GolemError('not_found')));
  app.onError((error) => {
    if (error instanceof GolemError) return errorResponse(error);
    log.error({ err: error }, 'a request failed');
    return errorResponse(new GolemError('internal'));
  });
  return app;
}

export function errorResponse(error: GolemError): Response {
  return Response.json(error.toBody(currentRequest()), { status: error.status });
}

/** An answer must fit into one message of the control socket. */
export function fits(body: string): boolean {
  return body.length <= LIMITS.control.answerBytes;
}
