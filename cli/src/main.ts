/** `golem`: answers what has to be quick by itself, and leaves the rest to the program. */
import { asksForVersion, ownVersion } from './program/version.ts';

/** A reader that went away, such as `head`, is no error. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

const argv = process.argv.slice(2);
if (asksForVersion(argv)) {
  process.stdout.write(`golem ${ownVersion()}\n`);
} else if (argv[0] === '__complete') {
  const { answerTab } = await import('./program/tab.ts');
  process.stdout.write(answerTab(argv.slice(1), process.env));
} else {
  // Nothing is awaited at the top: the single-file executable is CommonJS.
  void import('./program/program.ts').then(async ({ runProgram }) => {
    process.exitCode = await runProgram(argv);
  });
}
