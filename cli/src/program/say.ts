/** Standard output without Node's stream for it, which takes longer to load than all the rest. */
// An import of it would load Node's streams as well.
const { writeSync } = process.getBuiltinModule('node:fs');

export const STDOUT = 1;

export function sayAtOnce(text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(STDOUT, bytes, written);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A reader that went away is no error, and an end.
    if (code === 'EPIPE') process.exit(0);
    if (code !== 'EAGAIN') throw error;
    // A pipe that is full is what streams are for.
    process.stdout.write(bytes.subarray(written));
  }
}
