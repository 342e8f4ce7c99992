/** Standard output without Node's stream for it, which takes longer to load than all the rest. */
// An import of it would load Node's streams as well.
const { writeSync } = process.getBuiltinModule('node:fs');

export const STDOUT = 1;

/** Whether something waits in Node's stream, which what comes later must not overtake. */
let isQueued = false;

export function sayAtOnce(text: string): void {
  if (isQueued) {
    process.stdout.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(STDOUT, bytes, written);
  } catch (error) {
    if (codeOf(error) !== 'EAGAIN') endIfUnread(error);
    // A pipe that is full is what streams are for.
    isQueued = true;
    process.stdout.on('error', endIfUnread).write(bytes.subarray(written));
  }
}

/** A reader that went away is no error, and an end. */
function endIfUnread(error: unknown): void {
  if (codeOf(error) === 'EPIPE') process.exit(0);
  throw error;
}

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? error.code : undefined;
