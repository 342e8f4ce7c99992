/** Consoles as text: bytes of a guest, which may be anything, in answers that have a bound. Pure. */
import type { ConsolePart } from '../drivers/console.ts';

/** As `consoleSchema` has it. */
export interface ConsoleText {
  readonly text: string;
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
}

/**
 * @param part of which as much is shown as has room
 * @param end which of its ends is shown: the first bytes when one goes on from an offset
 * @param room characters of JSON
 */
export function showConsole(
  { bytes, from, epoch }: ConsolePart,
  end: 'first' | 'last',
  room: number,
): ConsoleText {
  const [start, stop] = end === 'first' ? first(bytes, room) : last(bytes, room);
  const text = bytes.toString('utf8', start, stop);
  return { text, from: from + start, to: from + stop, epoch };
}

type Range = readonly [start: number, stop: number];

function first(bytes: Buffer, room: number): Range {
  let stop = 0;
  for (let left = room; stop < bytes.length; stop += 1) {
    left -= costOf(bytes[stop] ?? 0);
    if (left < 0) break;
  }
  return [0, stop - unfinished(bytes.subarray(0, stop))];
}

function last(bytes: Buffer, room: number): Range {
  const stop = bytes.length - unfinished(bytes);
  let start = stop;
  for (let left = room; start > 0; start -= 1) {
    left -= costOf(bytes[start - 1] ?? 0);
    if (left < 0) break;
  }
  // What begins in the middle of a character is shown from the next one on.
  const middle = start;
  while (start < stop && start < middle + 3 && isContinuation(bytes[start] ?? 0)) start += 1;
  return [start, stop];
}

/** Bytes at the end that are the beginning of a character: the rest of it may follow. */
function unfinished(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (isContinuation(byte)) continue;
    return lengthOf(byte) > count ? count : 0;
  }
  return 0;
}

const isContinuation = (byte: number) => byte >= 0x80 && byte < 0xc0;

/** Of a character that begins so; 1 for what begins none. */
function lengthOf(byte: number): number {
  if (byte >= 0xf0 && byte < 0xf5) return 4;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xc2 && byte < 0xe0 ? 2 : 1;
}

/** Characters of JSON that a byte becomes at most. */
function costOf(byte: number): number {
  return byte < 0x80 ? JSON.stringify(String.fromCharCode(byte)).length - 2 : 1;
}
