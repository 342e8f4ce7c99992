/**
 * `npm run demo`: what the project is for, in two minutes. A discovery service and two providers on
 * this machine, a real VM rented from one of them, a shell and a file in it over SSH through the
 * relay, and nothing left behind.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify, styleText } from 'node:util';
import { EXIT } from '../shared/src/errors.ts';
import { installGolem } from '../test/golem.ts';
import { processesBelow } from '../test/leftovers.ts';
import { startStack } from '../test/stack.ts';
import { interruption } from './interruption.ts';

const root = join(import.meta.dirname, '..');
const FILE_BYTES = 64 * 1024 * 1024;

const started = performance.now();
const signal = interruption();
const dir = await mkdtemp(join(tmpdir(), 'golem-demo-'));
await installGolem(dir);

say('Building the guest image, if there is none yet');
await run(`'${process.execPath}' '${join(root, 'scripts/image/build.ts')}' > /dev/null`);

say('Starting discovery and two providers on this machine');
try {
  await using stack = await startStack({ providers: 2, driver: 'qemu', dir: join(dir, 's') });
  signal.throwIfAborted();
  console.log(`discovery ${stack.discovery}`);
  for (const { id } of stack.providers) console.log(`provider  ${id}`);
  await tour(stack.env);
} catch (error) {
  if (!signal.aborted) throw error;
  console.error(`\ndemo: ${(signal.reason as Error).message}`);
  process.exitCode = EXIT.interrupted;
} finally {
  say('Cleaning up');
  const left = processesBelow(dir);
  await rm(dir, { recursive: true, force: true });
  if (left.length > 0) {
    console.error(`demo: still running:\n${left.join('\n')}`);
    process.exitCode = 1;
  } else {
    console.log(`No process and no guest is left. ${seconds()} in all.`);
  }
}

async function tour(network: Readonly<Record<string, string>>): Promise<void> {
  const env = { ...process.env, ...network, PATH: `${dir}:${process.env['PATH'] ?? ''}` };
  const shell = async (command: string) => {
    console.log(`\n${styleText('bold', `$ ${command}`)}`);
    await run(command, env);
  };

  say('Who has room for a small VM?');
  await shell('golem vm providers --size small');

  say('Rent one');
  await shell('golem vm create web --size small');
  await shell('golem vm list');

  say('Go in, over SSH through the relay, with its host key pinned');
  await shell("golem vm ssh web -- 'uname -a; cat /etc/os-release; df -h /'");

  say('Copy 64 MiB in with plain scp, and compare');
  const file = randomBytes(FILE_BYTES);
  await writeFile(join(dir, 'file'), file);
  await shell('golem vm ssh-config web > ssh_config');
  await shell('scp -F ssh_config file web:file');
  const here = createHash('sha256').update(file).digest('hex');
  const sum = ['vm', 'ssh', 'web', '--', 'sha256sum file'];
  const { stdout: there } = await promisify(execFile)(join(dir, 'golem'), sum, { env, signal });
  console.log(`here   ${here}\nthere  ${there.split(' ')[0]}`);
  if (!there.startsWith(here)) throw new Error('the copy differs');

  say('Give it back');
  await shell('golem vm destroy web --yes');
  await shell('golem vm list');
}

/**
 * Of one program, which takes the place of the shell that reads its words: stopping a shell would
 * leave behind what it started.
 *
 * @throws when `command` fails, or was stopped: as is whatever runs on this terminal
 */
async function run(command: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const child = spawn('sh', ['-c', `exec ${command}`], { cwd: dir, env, stdio: 'inherit' });
  const end = () => child.kill();
  signal.addEventListener('abort', end, { once: true });
  const [status] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  if (status !== 0) throw new Error(`'${command}' ended with ${status}`);
}

function say(text: string): void {
  console.log(`\n${styleText('cyan', `== ${text}`)}  (${seconds()})`);
}

function seconds(): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
