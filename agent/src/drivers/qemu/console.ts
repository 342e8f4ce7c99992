/** The serial console of a guest of QEMU: a file that QEMU appends to. */
import { open, stat, truncate, writeFile, type FileHandle } from 'node:fs/promises';
import { consoleRange, NO_CONSOLE, type ConsolePart } from '../console.ts';
import { tail, type GuestFolder } from './folder.ts';

/** A guest writes to its console what it likes; the file is cut when it is larger than this. */
const CONSOLE_BYTES = 1024 * 1024;
/** How often it is read anew that was begun anew meanwhile: that happens every 15 s at most. */
const TRIES = 3;

/** Reads a part as `consoleRange` chooses it; empty when there is none. */
export async function readConsole(
  folder: Pick<GuestFolder, 'console'>,
  maxBytes: number,
  after: number | undefined,
): Promise<ConsolePart> {
  for (let tries = 1; ; tries += 1) {
    const epoch = await epochOf(folder);
    const part = await readPart(folder.console, maxBytes, after);
    if (tries === TRIES || epoch === (await epochOf(folder))) return { ...part, epoch };
  }
}

/** Cuts the console's log to its end when it has grown too large. */
export async function boundConsole({ console }: Pick<GuestFolder, 'console'>): Promise<void> {
  const size = await stat(console).then(
    (info) => info.size,
    () => 0,
  );
  if (size <= CONSOLE_BYTES) return;
  // QEMU appends, so it goes on at the new end of the file.
  await writeFile(previousOf(console), await tail(console, CONSOLE_BYTES / 4));
  await truncate(console, 0);
}

/** What was written before the file began anew. */
export const previousOf = (console: string) => `${console}.previous`;

/**
 * When the file last began anew: then what was in it became the previous one, by a new name or by
 * being written to it, and both change that file's status. Microseconds since 1970; 0 at first.
 */
async function epochOf({ console }: Pick<GuestFolder, 'console'>): Promise<number> {
  const info = await stat(previousOf(console), { bigint: true }).catch(ignoreMissing);
  return info === undefined ? 0 : Number(info.ctimeNs / 1000n);
}

async function readPart(path: string, maxBytes: number, after: number | undefined) {
  const file = await open(path, 'r').catch(ignoreMissing);
  if (!file) return NO_CONSOLE;
  try {
    const { size } = await file.stat();
    const { from, to } = consoleRange({ start: 0, end: size }, maxBytes, after);
    return { bytes: await read(file, from, to - from), from };
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
  return buffer.subarray(0, bytesRead);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
