/** Tells of every request that was answered: by its route, which has no ids in it. */
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import type { ApiEnv } from './environment.ts';

export interface Served {
  readonly method: string;
  /** As in `/vms/:vm/start`; `none` for a path that there is no route for. */
  readonly route: string;
  readonly status: number;
  /** `gr_...`, or undefined when nobody was let in. */
  readonly requestor: string | undefined;
  /** Long polls are held open for a while. */
  readonly millis: number;
}

const PREFIX = '/v1/providers/:provider';

export function observed(served: (call: Served) => void) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const started = performance.now();
    await next();
    const route = routePath(c, -1);
    const { admitted } = c.var as Partial<ApiEnv['Variables']>;
    served({
      method: c.req.method,
      route: route.startsWith(PREFIX) ? route.slice(PREFIX.length) : 'none',
      status: c.res.status,
      requestor: admitted?.requestor,
      millis: performance.now() - started,
    });
  });
}
