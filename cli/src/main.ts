/** `golem`: answers what has to be quick by itself, and leaves the rest to the program. */
import { sayAtOnce } from './program/say.ts';
import { asksForVersion, ownVersion } from './program/version.ts';

const argv = process.argv.slice(2);
// A single-file executable cannot wait at the top of a module.
if (asksForVersion(argv)) {
  sayAtOnce(`golem ${ownVersion()}\n`);
} else if (argv[0] === '__complete') {
  void import('./program/tab.ts').then(({ answerTab }) => {
    sayAtOnce(answerTab(argv.slice(1), process.env));
  });
} else {
  void import('./program/program.ts').then(async ({ runProgram }) => {
    process.exitCode = await runProgram(argv);
  });
}
