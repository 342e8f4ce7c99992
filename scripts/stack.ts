/**
 * `npm run stack -- --providers N --driver memory|qemu|multipass --dir DIR`: a whole network on this machine.
 * Prints one JSON line when it is ready, and leaves nothing running when it is stopped.
 */
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { standInOnQemu } from '../test/multipass/on-qemu.ts';
import { startStack } from '../test/stack.ts';
import { interruption } from './interruption.ts';

const { values } = readFlags();
const providers = Number(values.providers);
const { driver } = values;
if (!Number.isInteger(providers) || providers < 0 || providers > 100) {
  usage('--providers takes a whole number from 0 to 100');
}
if (driver !== 'memory' && driver !== 'qemu' && driver !== 'multipass') {
  usage('--driver takes memory, qemu or multipass');
}

const dir =
  values.dir === undefined ? await mkdtemp(join(tmpdir(), 'golem-')) : resolve(values.dir);
const stop = interruption();
await using resources = new AsyncDisposableStack();
// What runs here is a stand-in for Multipass.
const multipass = driver === 'multipass' && (await standInOnQemu(join(dir, 'mp'), '1.16.3'));
if (multipass) resources.use(multipass);
const providerPath = multipass ? { providerPath: dirname(multipass.program) } : {};
const stack = resources.use(await startStack({ providers, driver, dir, ...providerPath }));
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
  console.error(
    'hint: npm run stack -- [--providers N] [--driver memory|qemu|multipass] [--dir DIR]',
  );
  process.exit(2);
}
