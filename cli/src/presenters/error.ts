/** Errors for people: what, why, what helps, and the name of the request in the logs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { paletteOf } from './colour.ts';
import { printable, printableJson } from './printable.ts';

const PLAIN = paletteOf();

export function errorLines(error: unknown, debug: boolean, palette = PLAIN): string[] {
  const golem = palette.error('golem:');
  if (!(error instanceof GolemError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // Its message may have come from somebody else all the same.
    const [first = '', ...more] = text.split('\n').map(printable);
    return [`${golem} this is a bug: ${first}`, ...more];
  }
  const { message, hint, requestId } = error;
  const why = debug ? causes(error) : (systemCause(error) ?? []);
  return [
    `${golem} ${printable(message)}`,
    ...[why].flat().map((cause) => `cause: ${printable(cause)}`),
    ...(hint === undefined ? [] : [`hint: ${printable(hint)}`]),
    ...(requestId === undefined ? [] : [`request: ${printable(requestId)}`]),
  ];
}

/** The one shape of an error, as it has on the wire; its text may be on a terminal. */
export function errorJson(error: unknown): string {
  if (error instanceof GolemError) return printableJson(JSON.stringify(error.toBody()));
  const message = error instanceof Error ? error.message : String(error);
  return errorJson(new GolemError('internal', `This is a bug: ${message}`));
}

function causes({ cause }: Error): string[] {
  return cause instanceof Error ? [cause.message, ...causes(cause)] : [];
}

/** What the system said, which is worth knowing even to whoever does not look for bugs. */
function systemCause({ cause }: Error): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return 'syscall' in cause ? cause.message : systemCause(cause);
}
