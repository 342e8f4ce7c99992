/** Whether discovery can be reached, and whether both clocks agree. */
import { checkProtocol, PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { duration } from '../presenters/units.ts';
import { configured, failure, ok, skipped, warning, type Finding } from './check.ts';

const ANSWER_MILLIS = 10_000;
/** The header has whole seconds. */
const DATE_MILLIS = 1000;

export const discovery = configured('discovery', async ({ loaded, status, signal, now }) => {
  const { discovery: url } = loaded.config;
  const fix = 'check --discovery, this machine’s network, and whether a firewall lets it out';
  const answer = await askHealth(url, signal, now);
  if ('why' in answer) return failure(`${url} cannot be reached: ${answer.why}`, fix);
  if (!answer.ok) return failure(`${url} answers with status ${answer.status}`, fix);
  if (answer.incompatible) {
    return failure(answer.incompatible.message, answer.incompatible.hint ?? fix);
  }
  if (status && status.link.phase !== 'connected') {
    return failure(
      `${url} answers within ${answer.millis} ms, and the agent is not connected to it`,
      'see golem-provider logs',
    );
  }
  return ok(
    `${url} answers within ${answer.millis} ms${status ? ', and the agent is connected' : ''}`,
  );
});

export const clock = configured('clock', async ({ loaded, signal, now }) => {
  const answer = await askHealth(loaded.config.discovery, signal, now);
  if ('why' in answer) return skipped('discovery, whose clock counts, cannot be reached');
  return judgeClock(answer);
});

export interface Answered {
  readonly ok: boolean;
  readonly status: number;
  /** From the question to the answer. */
  readonly millis: number;
  /** Of discovery, by its `Date`; null when it sends none. Milliseconds since 1970. */
  readonly date: number | null;
  /** Of this machine when the answer was here. */
  readonly at: number;
  /** Why this program and discovery do not understand each other. */
  readonly incompatible?: GolemError;
}

/** Pure. What the answer's way takes and what the header leaves out is no skew. */
export function judgeClock({ date, at, millis }: Answered): Finding {
  if (date === null) return skipped('discovery does not say what time it is');
  const earliest = at - millis - DATE_MILLIS;
  const skew = date > at ? date - at : date < earliest ? date - earliest : 0;
  const seconds = LIMITS.signature.clockSkewSeconds;
  if (skew === 0) return ok('agrees with that of discovery');
  const what = `it is ${duration(Math.abs(skew))} ${skew > 0 ? 'behind' : 'ahead of'} that of discovery`;
  const fix = 'set it by NTP: timedatectl set-ntp true';
  if (Math.abs(skew) >= seconds * 1000) {
    return failure(`${what}: beyond ${seconds} s no signature counts`, fix);
  }
  return Math.abs(skew) >= 2 * DATE_MILLIS
    ? warning(what, fix)
    : ok('agrees with that of discovery');
}

interface Unreachable {
  readonly why: string;
}

async function askHealth(
  url: string,
  signal: AbortSignal,
  now: () => number,
): Promise<Answered | Unreachable> {
  const started = performance.now();
  let response;
  try {
    response = await fetch(`${url}/healthz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLIS)]),
      redirect: 'manual',
    });
  } catch (error) {
    // Of whoever interrupts this, discovery is not at fault.
    signal.throwIfAborted();
    if (!isUnanswered(error)) throw error;
    return { why: error.cause instanceof Error ? error.cause.message : error.message };
  }
  const millis = Math.round(performance.now() - started);
  await response.body?.cancel();
  const date = Date.parse(response.headers.get('date') ?? '');
  const { ok, status } = response;
  const incompatible = misfit(response.headers.get(PROTOCOL_HEADER));
  return {
    ...{ ok, status, millis, date: Number.isNaN(date) ? null : date, at: now() },
    ...(incompatible ? { incompatible } : {}),
  };
}

function misfit(version: string | null): GolemError | undefined {
  try {
    checkProtocol(version, { them: 'the discovery service', us: 'golem-provider' });
    return undefined;
  } catch (error) {
    if (error instanceof GolemError) return error;
    throw error;
  }
}

/** The errors of `fetch` where the network fails, and where the time is over. */
function isUnanswered(error: unknown): error is Error {
  return (
    error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError')
  );
}
