/** Runs `golem` again and again in one process, and tells what each run printed. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { runProgram } from '../../cli/src/program/program.ts';

const written = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr'] as const) {
  process[name].write = (text: string | Uint8Array, ...rest: unknown[]) => {
    written[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
    const done = rest.at(-1);
    if (typeof done === 'function') (done as () => void)();
    return true;
  };
}

// What needs no stream is written by the number of its file.
const writeSync = fs.writeSync.bind(fs) as (...args: unknown[]) => number;
fs.writeSync = ((file: number, bytes: Buffer, ...rest: unknown[]) => {
  if (file !== 1) return writeSync(file, bytes, ...rest);
  written.stdout += bytes.toString();
  return bytes.length;
}) as typeof fs.writeSync;
syncBuiltinESMExports();

process.on('message', (argv: string[]) => {
  written.stdout = '';
  written.stderr = '';
  void runProgram(argv)
    .catch((error: unknown) => {
      written.stderr += `escaped: ${String(error)}`;
      return -1;
    })
    .then((status) => {
      // Every run listens for Ctrl-C.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
      process.send?.({ status, ...written });
    });
});
