/** Runs the program in this process, whose exit code it sets. */
import { runProgram } from './program.ts';

export async function start(argv: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that went away, such as `head`, is no error.
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  process.exitCode = await runProgram(argv);
}
