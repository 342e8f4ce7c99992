/** Metrics for whoever wants them: whatever they need is loaded only then. */
import type { Logger } from 'pino';
import type { Metrics, MetricsSources } from './metrics.ts';

export interface ServedMetrics extends Metrics {
  /** Answers scrapes, until it is disposed of. */
  serve(log: Logger): Promise<AsyncDisposable>;
}

/** @param port undefined where nobody wants any */
export async function loadMetrics(
  port: number | undefined,
  sources: MetricsSources,
): Promise<ServedMetrics | undefined> {
  if (port === undefined) return undefined;
  const { openMetrics } = await import('./metrics.ts');
  const { serveMetrics } = await import('./server.ts');
  const metrics = openMetrics(sources);
  return { ...metrics, serve: (log) => serveMetrics(metrics, port, log) };
}
