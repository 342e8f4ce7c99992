/** Serves the metrics to this machine alone. Whoever wants them elsewhere puts a proxy in between. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import { AGENT_LIMITS } from '../limits.ts';
import type { Metrics } from './metrics.ts';

const ADDRESS = '127.0.0.1';
/** What a page of some site in a browser on this machine cannot call us. */
const HOSTS = /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/;

/** @throws {GolemError} `usage` when the port is taken */
export async function serveMetrics(
  metrics: Pick<Metrics, 'text' | 'contentType'>,
  port: number,
  log: Logger,
): Promise<AsyncDisposable> {
  const server = createServer({ requestTimeout: AGENT_LIMITS.metrics.requestMillis });
  server.maxConnections = AGENT_LIMITS.metrics.connections;
  server.on('request', (request, response) => {
    answer(metrics, request, response).catch((error: unknown) => {
      log.error({ err: error }, 'metrics could not be collected');
      response.destroy();
    });
  });
  server.listen(port, ADDRESS);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GolemError('usage', `Metrics cannot be served: ${why}`, {
      hint: 'Choose another port with --metrics.',
      cause,
    });
  }
  log.info({ url: `http://${ADDRESS}:${port}/metrics` }, 'metrics are served');
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { text, contentType }: Pick<Metrics, 'text' | 'contentType'>,
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!HOSTS.test(headers.host ?? '')) {
    response.writeHead(403).end();
  } else if (url !== '/metrics') {
    response.writeHead(404).end();
  } else if (method !== 'GET') {
    response.writeHead(405, { allow: 'GET' }).end();
  } else {
    response.writeHead(200, { 'content-type': contentType }).end(await text());
  }
}
