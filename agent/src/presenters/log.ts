/** Lines of the log for people: time, level, what happened, and what it is about. Pure. */
import { printable } from './table.ts';

/** A line that is not one of ours is shown as it is. */
export function logLine(line: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    // `JSON.parse` throws nothing else: a line of a crash, or half of one.
    return printable(line);
  }
  if (typeof entry !== 'object' || entry === null) return printable(line);
  const { time, level, msg, err, ...about } = entry as Record<string, unknown>;
  const rest = Object.entries(about).map(([key, value]) => `${key}=${shown(value)}`);
  const cause = (err as { message?: unknown } | undefined)?.message;
  const words = [
    shown(time ?? '-'),
    shown(level ?? '-')
      .toUpperCase()
      .padEnd(5),
    shown(msg ?? '-'),
    ...(cause === undefined ? [] : [`(${shown(cause)})`]),
    ...rest,
  ];
  return printable(words.join(' '));
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
