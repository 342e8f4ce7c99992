/** `golem`: answers what has to be quick by itself, and leaves the rest to the program. */
import { sayAtOnce } from './program/say.ts';
import { asksForVersion, ownVersion } from './program/version.ts';

const argv = process.argv.slice(2);
// A single-file executable cannot wait at the top of a module.
if (asksForVersion(argv, process.env)) {
  sayAtOnce(`golem ${ownVersion()}\n`);
} else if (argv[0] === '__complete') {
  void import('./program/tab.ts').then(({ answerTab }) => {
    sayAtOnce(answerTab(argv.slice(1), process.env));
  });
} else if (argv[0] === 'completion' && argv.length === 2 && !argv[1]?.startsWith('-')) {
  // Asked for whenever a shell starts; what is no shell is refused as by any command.
  void import('./presenters/shells/index.ts').then(({ SHELLS }) => {
    const [, shell = ''] = argv;
    const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (script === undefined) return run();
    return sayAtOnce(script);
  });
} else {
  void run();
}

async function run(): Promise<void> {
  const { runProgram } = await import('./program/program.ts');
  process.exitCode = await runProgram(argv);
}
