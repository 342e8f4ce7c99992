/** How a result or a `GolemError` crosses the RPC boundary between objects, where classes do not. */
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { GolemError, type ErrorBody } from '@vm-on-golem/shared/errors';

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly body: ErrorBody };

/** Anything but a `GolemError` is a defect and passes through as it is. */
export async function outcomeOf<Value>(
  work: () => Promise<Value> | Value,
): Promise<Outcome<Value>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return { ok: false, body: error.toBody() };
  }
}

/** @throws {GolemError} the one that the other side threw. */
export function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw readErrorBody(outcome.body) ?? new GolemError('internal');
}
