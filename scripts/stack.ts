/**
 * `npm run stack -- --providers N --driver memory|qemu|multipass --dir DIR`: a whole network on this machine.
 * Says when it is ready, on a terminal what to type now and otherwise one line of JSON, and leaves nothing
 * running when it is stopped.
 */
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { standInOnQemu } from '../test/multipass/on-qemu.ts';
import { startStack, type Stack } from '../test/stack.ts';
import { interruption } from './interruption.ts';

const USAGE = 'npm run stack -- [--providers N] [--driver memory|qemu|multipass] [--dir DIR]';
const { values } = readFlags();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
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
console.log(process.stdout.isTTY ? whatToType(stack.env) : JSON.stringify(facts(stack)));
if (!stop.aborted) await once(stop, 'abort');
if (values.dir === undefined) {
  resources.defer(() =>
    console.error(`Keys, logs and disks are left in ${dir}; to remove them: rm -r ${dir}`),
  );
}

function facts({ discovery, providers: all, env }: Stack) {
  return { discovery, providers: all.map(({ id, pid, log }) => ({ id, pid, log })), env, dir };
}

function whatToType(env: Stack['env']): string {
  const programs = join(import.meta.dirname, '..', 'node_modules', '.bin');
  const variables = Object.entries(env).map(([name, value]) => `export ${name}='${value}'`);
  return [
    'A network of your own is ready, until you press Ctrl-C here. In another terminal:',
    '',
    ...[`export PATH='${programs}':"$PATH"`, ...variables, 'golem vm create web'].map(
      (line) => `  ${line}`,
    ),
    '',
    `Everything is kept below ${dir}.`,
  ].join('\n');
}

function readFlags() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h', default: false },
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
  console.error(`hint: ${USAGE}`);
  process.exit(2);
}
