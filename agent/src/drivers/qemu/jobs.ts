/** QEMU's jobs: work that it does after it has answered, and that nothing but its events tell the end of. */
import * as z from 'zod';
import { DriverError } from '../driver.ts';
import type { Qmp } from './qmp.ts';

const jobsSchema = z.array(
  z.object({ id: z.string(), status: z.string(), error: z.string().optional() }),
);
const CONCLUDED = 'concluded';

/**
 * Runs a job to its end. While QEMU saves a memory it answers nobody: there is no asking, only waiting.
 * @param signal ends the wait; the job goes on, and is left for `finishJobs`
 * @throws {DriverError} `failed` with QEMU's own words | `aborted`
 */
export async function runJob(
  qmp: Qmp,
  command: string,
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<void> {
  const id = command;
  const concluded = conclusion(qmp, id, signal);
  // When the command itself is refused nobody waits for it.
  concluded.catch(() => undefined);
  await qmp.execute(command, { 'job-id': id, ...args });
  await concluded;
  await dismiss(qmp, id);
}

/** Waits for what an agent that is gone has begun, and forgets it. Whether it failed is no matter. */
export async function finishJobs(qmp: Qmp): Promise<void> {
  const { signal } = new AbortController();
  for (const { id, status } of await jobs(qmp)) {
    if (status !== CONCLUDED) await conclusion(qmp, id, signal);
    await qmp.execute('job-dismiss', { id });
  }
}

async function dismiss(qmp: Qmp, id: string): Promise<void> {
  const job = (await jobs(qmp)).find((known) => known.id === id);
  if (!job) return;
  await qmp.execute('job-dismiss', { id });
  if (job.error !== undefined) throw new DriverError('failed', `QEMU could not: ${job.error}`);
}

async function jobs(qmp: Qmp) {
  return jobsSchema.parse(await qmp.execute('query-jobs'));
}

/** Resolves when a job has concluded. */
function conclusion(qmp: Qmp, id: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(new DriverError('aborted', 'The wait for QEMU was stopped.'));
  const listening = qmp.onEvent(({ event, data }) => {
    if (event !== 'JOB_STATUS_CHANGE' || data['status'] !== CONCLUDED) return;
    if (data['id'] === id) resolve();
  });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  void qmp.closed.then(() =>
    reject(new DriverError('failed', 'QEMU ended before it had done it.')),
  );
  return promise.finally(() => {
    listening[Symbol.dispose]();
    signal.removeEventListener('abort', onAbort);
  });
}
