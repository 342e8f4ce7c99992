/** Checks that ask somebody: discovery, the clock by its answer, and a provider. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { SIZES } from '@vm-on-golem/shared/vm';
import type { LocalContext } from '../command.ts';
import { failure, failureOf, ok, skipped, warning, type Check, type Finding } from './check.ts';

/** Whoever takes longer does not work. */
const PATIENCE_MILLIS = 5_000;
/** `Date` leaves out what is less than a second. */
const DATE_MILLIS = 1_000;

export const NETWORK_CHECKS: readonly Check[] = [
  { name: 'discovery', run: discovery },
  { name: 'clock', run: clock },
  { name: 'provider', run: provider },
];

interface HealthAnswer {
  readonly status: number;
  /** What it says the time is, in ms; undefined where it does not. */
  readonly date: number | undefined;
  /** When it was asked, and when it had answered, in ms. */
  readonly from: number;
  readonly to: number;
}

async function askHealth({ home, signal, now }: LocalContext): Promise<HealthAnswer> {
  const from = now();
  try {
    const response = await fetch(new URL('/healthz', home.discovery), {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MILLIS)]),
    });
    await response.body?.cancel();
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      status: response.status,
      date: Number.isNaN(date) ? undefined : date,
      from,
      to: now(),
    };
  } catch (cause) {
    signal.throwIfAborted();
    throw new GolemError('discovery_unreachable', `${home.discovery} cannot be reached.`, {
      hint: 'Check your network, and where it is: golem config list',
      cause,
    });
  }
}

async function discovery(context: LocalContext): Promise<Finding> {
  try {
    const { status, from, to } = await askHealth(context);
    if (status === 200) return ok(`${context.home.discovery} answered in ${to - from} ms`);
    const fix = 'golem config set discovery URL';
    return failure(`${context.home.discovery} is no discovery service: it says ${status}`, fix);
  } catch (error) {
    return failureOf(error, 'golem config list');
  }
}

async function clock(context: LocalContext): Promise<Finding> {
  try {
    return judgeClock(await askHealth(context));
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return skipped('cannot be compared while discovery cannot be reached');
  }
}

/** Signed requests are refused where the two clocks differ by more than the limit. */
export function judgeClock({ date, from, to }: Omit<HealthAnswer, 'status'>): Finding {
  if (date === undefined) return skipped('discovery does not say what time it is');
  // It was some time between question and answer, and is told in whole seconds.
  const ahead = from - (date + DATE_MILLIS);
  const behind = date - to;
  const skewMillis = Math.max(ahead, behind);
  if (skewMillis <= 0) return ok('agrees with that of discovery');
  const direction = ahead > behind ? 'ahead of' : 'behind';
  const what = `${Math.ceil(skewMillis / 1000)} s ${direction} that of discovery`;
  const fix = 'Set the clock, as with: timedatectl set-ntp true';
  return skewMillis / 1000 < LIMITS.signature.clockSkewSeconds
    ? warning(what, fix)
    : failure(`${what}: requests are refused`, fix);
}

/** One of one's own where there is one: it is the one that has to answer. */
async function provider(context: LocalContext): Promise<Finding> {
  const { book, signal } = context;
  const options = { signal, deadlineMillis: PATIENCE_MILLIS };
  try {
    const client = await context.openClient();
    const [own] = await book.all();
    const page = own
      ? undefined
      : await client.providers.page({ resources: SIZES.small }, { limit: 1, ...options });
    const id = own?.provider ?? page?.candidates[0]?.id;
    if (id === undefined) return warning('none is listed that has room', 'golem vm providers');
    const vms = await client.vms.list(id, options);
    return ok(`${id} answers, and has ${vms.length} VMs of yours`);
  } catch (error) {
    return failureOf(error, 'golem vm list');
  }
}
