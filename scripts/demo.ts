/**
 * `npm run demo`: what the project is for, in two minutes. A discovery service and two providers on
 * this machine, a real VM rented from one of them, a shell and a file in it over SSH through the
 * relay, and nothing left behind.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../test/stack.ts';

const root = join(import.meta.dirname, '..');
const FILE_BYTES = 64 * 1024 * 1024;

const started = performance.now();
const dir = await mkdtemp(join(tmpdir(), 'golem-demo-'));
await writeFile(
  join(dir, 'golem'),
  `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'cli/bin/golem.js')}' "$@"\n`,
  {
    mode: 0o755,
  },
);

say('Building the guest image, if there is none yet');
execFileSync(process.execPath, [join(root, 'scripts/image/build.ts')], {
  stdio: ['ignore', 'ignore', 'inherit'],
});

say('Starting discovery and two providers on this machine');
try {
  await using stack = await startStack({ providers: 2, driver: 'qemu', dir: join(dir, 's') });
  console.log(`discovery ${stack.discovery}`);
  for (const { id } of stack.providers) console.log(`provider  ${id}`);
  await tour(stack.env);
} finally {
  say('Cleaning up');
  const left = leftovers();
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
  const shell = (command: string) => {
    console.log(`\n\x1b[1m$ ${command}\x1b[0m`);
    const { status } = spawnSync('sh', ['-c', command], { cwd: dir, env, stdio: 'inherit' });
    if (status !== 0) throw new Error(`'${command}' ended with ${status}`);
  };

  say('Who has room for a small VM?');
  shell('golem vm providers --size small');

  say('Rent one');
  shell('golem vm create web --size small');
  shell('golem vm list');

  say('Go in, over SSH through the relay, with its host key pinned');
  shell("golem vm ssh web -- 'uname -a; cat /etc/os-release; df -h /'");

  say('Copy 64 MiB in with plain scp, and compare');
  const file = randomBytes(FILE_BYTES);
  await writeFile(join(dir, 'file'), file);
  shell('golem vm ssh-config web > ssh_config && scp -F ssh_config file web:file');
  const here = createHash('sha256').update(file).digest('hex');
  const there = execFileSync(join(dir, 'golem'), ['vm', 'ssh', 'web', '--', 'sha256sum file'], {
    env,
  });
  console.log(`here   ${here}\nthere  ${there.toString().split(' ')[0]}`);
  if (!there.toString().startsWith(here)) throw new Error('the copy differs');

  say('Give it back');
  shell('golem vm destroy web --yes');
  shell('golem vm list');
}

/** Processes whose command line names the folder of this demonstration. */
function leftovers(): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(dir));
}

function say(text: string): void {
  console.log(`\n\x1b[36m== ${text}\x1b[0m  (${seconds()})`);
}

function seconds(): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
