/** With `node --import`: writes what this process loads to the file that GOLEM_TEST_MODULES names. */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const file = process.env['GOLEM_TEST_MODULES'] ?? '';

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    appendFileSync(file, `${found.url}\n`);
    return found;
  },
});

// Node makes its stream when it is asked for, of a socket where standard output is a pipe.
const stdout = Object.getOwnPropertyDescriptor(process, 'stdout');
Object.defineProperty(process, 'stdout', {
  configurable: true,
  get: () => {
    appendFileSync(file, 'process.stdout\n');
    return stdout?.get?.call(process) as typeof process.stdout;
  },
});
