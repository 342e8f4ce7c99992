import process from 'node:process';

const words = process.argv.slice(2);

/** A reader that went away, such as `head`, is no error; an agent that rents out goes on without it. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (words[0] !== 'start') process.exit(0);
  });
}

void run();

/** Not awaited at the top: the single-file executable is CommonJS. */
async function run(): Promise<void> {
  // Which version this is, is answered without loading the program that it is the version of.
  if (words.length === 1 && ['--version', '-v'].includes(words[0] ?? '')) {
    const { VERSION } = await import('./version.ts');
    process.stdout.write(`${VERSION}\n`);
  } else {
    const { program } = await import('./program.ts');
    process.exitCode = await program(words, process);
  }
}
