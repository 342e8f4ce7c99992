/** Errors for people: what, why, what helps, and the name of the request in the logs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { printable } from './printable.ts';

export function errorLines(error: unknown, debug: boolean): string[] {
  if (!(error instanceof GolemError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return [`golem: this is a bug: ${text}`];
  }
  const lines = [`golem: ${error.message}`];
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (error.requestId !== undefined) lines.push(`request: ${error.requestId}`);
  if (debug) lines.push(...causes(error));
  return lines.map(printable);
}

/** The one shape of an error, as it has on the wire. */
export function errorJson(error: unknown): string {
  if (error instanceof GolemError) return JSON.stringify(error.toBody());
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify(new GolemError('internal', `This is a bug: ${message}`).toBody());
}

function causes({ cause }: Error): string[] {
  return cause instanceof Error ? [`cause: ${cause.message}`, ...causes(cause)] : [];
}
