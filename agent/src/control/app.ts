/** The operator's API, as a hono app: a route parses, makes one call, and answers. */
import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Reloaded } from '../config/live.ts';
import { controlPaths, type Status } from './schemas.ts';

/** What an operator may do to a running agent. */
export interface Controls {
  status(): Status | Promise<Status>;
  /** Reads the configuration anew. */
  reload(): Reloaded;
  /** Begins to stop; guests run on. */
  stop(): void;
}

/** For a server that only the operator can reach. */
export function operatorListener(controls: Controls, log: Logger): RequestListener {
  const listener = getRequestListener(createControlApp(controls, log).fetch);
  // Every failure is an answer, so there is nothing left to be caught.
  return (request, response) => void listener(request, response);
}

function createControlApp(controls: Controls, log: Logger): Hono {
  const app = new Hono();
  app.get(controlPaths.status, async (c) => c.json(await controls.status()));
  app.post(controlPaths.reload, (c) => c.json(controls.reload()));
  app.post(controlPaths.stop, (c) => {
    log.info('stopping, as the operator asked for it');
    controls.stop();
    return c.json({ pid: process.pid }, 202);
  });
  app.notFound((c) => {
    const error = new GolemError('unsupported', 'The agent that runs here does not know this.', {
      hint: 'It may be of another version: start it again.',
    });
    return c.json(error.toBody(), 501);
  });
  app.onError((error) => {
    const known = error instanceof GolemError ? error : new GolemError('internal');
    if (known !== error) log.error({ err: error }, 'a request of the operator failed');
    return Response.json(known.toBody(), { status: known.status });
  });
  return app;
}
