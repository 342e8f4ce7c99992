/**
 * `npm run stack -- --providers N --driver memory|qemu --dir DIR`: a whole network on this machine.
 * Prints one JSON line when it is ready, and leaves nothing running when it is stopped.
 */
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../test/stack.ts';
import { interruption } from './interruption.ts';

const { values } = readFlags();
const providers = Number(values.providers);
const { driver } = values;
if (!Number.isInteger(providers) || providers < 0 || providers > 100) {
  usage('--providers takes a whole number from 0 to 100');
}
if (driver !== 'memory' && driver !== 'qemu') usage('--driver takes memory or qemu');

const dir =
  values.dir === undefined ? await mkdtemp(join(tmpdir(), 'golem-')) : resolve(values.dir);
const stop = interruption();
await using stack = await startStack({ providers, driver, dir });
console.log(
  JSON.stringify({
    discovery: stack.discovery,
    providers: stack.providers.map(({ id, pid, log }) => ({ id, pid, log })),
    env: stack.env,
    dir,
  }),
);
if (!stop.aborted) await once(stop, 'abort');

function readFlags() {
  try {
    return parseArgs({
      options: {
        providers: { type: 'string', default: '1' },
        driver: { type: 'string', default: 'qemu' },
        dir: { type: 'string' },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): never {
  console.error(`stack: ${message}`);
  console.error('hint: npm run stack -- [--providers N] [--driver memory|qemu] [--dir DIR]');
  process.exit(2);
}
