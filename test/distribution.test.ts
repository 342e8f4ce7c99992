/** The programs as people get them: installed from packages of npm, and as one file each. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { run, type Finished } from './golem.ts';
import { startProcess } from './process.ts';
import { startStack } from './stack.ts';

const root = join(import.meta.dirname, '..');
const READY_MILLIS = 60_000;
/** As where nothing of this repository is, and nothing of whoever runs this. */
const PATH = [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'd-'));
  await mkdir(join(dir, 'home'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** In an empty folder, with a home of its own. */
async function runIn(folder: string, command: readonly string[], path = PATH): Promise<Finished> {
  const env = { PATH: path, HOME: join(dir, 'home') };
  const clean = ['env', '-i', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  return run(command, { on: clean, env: {}, cwd: folder });
}

/** @throws with what it said, when it failed */
async function done(finished: Promise<Finished>): Promise<void> {
  const { status, stderr } = await finished;
  if (status !== 0) throw new Error(`it ended with ${status}: ${stderr}`);
}

/** A VM on the memory driver, rented out and rented by the programs in `bin`, and gone into. */
async function rent(bin: string, path: string) {
  const home = await mkdtemp(join(dir, 'r-'));
  await using stack = await startStack({ providers: 0, driver: 'memory', dir: join(home, 's') });
  const provider = await startProcess({
    name: 'golem-provider',
    command: [
      ...[join(bin, 'golem-provider'), 'start', '-o', 'json', '--discovery', stack.discovery],
      ...['--config', '/dev/null', '--data-dir', join(home, 'p'), '--name', 'shipped'],
      ...['--driver', 'memory', '--stop-at-cpu', '100%', '--stop-at-memory', '100%'],
      ...['--stop-at-disk', '100%'],
    ],
    env: { PATH: path, HOME: home },
    log: join(home, 'provider.log'),
    readyMillis: READY_MILLIS,
  });
  try {
    const env = { PATH: path, HOME: home, ...stack.env };
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const golem = (...args: string[]) =>
      run(['env', '-i', ...words, join(bin, 'golem'), ...args], { env: {} });
    const created = await golem('vm', 'create', 'web', '--size', 'small');
    const listed = await golem('vm', 'list', '-o', 'json');
    const inside = await golem('vm', 'ssh', 'web', '--', 'exit 7');
    const destroyed = await golem('vm', 'destroy', 'web', '--yes');
    return { created, listed, inside, destroyed };
  } finally {
    await provider.end('SIGTERM');
  }
}

/** Of somebody who has nothing but the package. That a name is no number is for the compiler to say. */
const PROGRAM = `
import { GolemClient, GolemError, openIdentity, generatePrivateJwk, type Vm } from '@vm-on-golem/cli';
const identity = await openIdentity('requestor', await generatePrivateJwk());
const client = new GolemClient({ discovery: 'http://127.0.0.1:9', identity: async () => identity });
const list = (): Promise<Vm[]> =>
  client.vms.list('gp_aaaaaaaaaaaaaaaaaaaaaaaaaa', { signal: AbortSignal.timeout(10_000) });
try {
  const [vm] = await list();
  // @ts-expect-error
  const cpus: number = vm?.name;
  console.log(cpus);
} catch (error) {
  console.log(error instanceof GolemError ? error.code : error);
}
`;

const RENTED = {
  created: { status: 0 },
  listed: { status: 0, stdout: expect.stringMatching(/"state": "running"/) as string },
  inside: { status: 7, stdout: '' },
  destroyed: { status: 0 },
};

/** A Node of the system that is too old, if there is one. */
function olderNode(): string | undefined {
  return ['/usr/bin/node', '/usr/local/bin/node'].find((node) => {
    const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
  });
}

describe('npm packages', () => {
  let installed: string;
  let bin: string;

  beforeAll(async () => {
    installed = join(dir, 'installed');
    await mkdir(installed);
    const packing = ['npm', 'pack', '-w', 'cli', '-w', 'agent', '--pack-destination', dir];
    await done(run(packing, { env: {}, cwd: root }));
    const tarballs = (await readdir(dir)).filter((name) => name.endsWith('.tgz'));
    // Offline: whatever they need beside Node is in them. Of packages in `dependencies` it would need more.
    const install = [
      'npm',
      'install',
      '--offline',
      '--no-audit',
      '--no-fund',
      ...tarballs.map((name) => join(dir, name)),
    ];
    await done(runIn(installed, install));
    bin = join(installed, 'node_modules', '.bin');
  });

  test.each(['cli', 'agent'])('%s brings its licence and those of what is in it', async (name) => {
    const folder = join(installed, 'node_modules', '@vm-on-golem', name);
    expect(await readFile(join(folder, 'LICENSE'), 'utf8')).toContain('GNU GENERAL PUBLIC LICENSE');
    expect(await readFile(join(folder, 'dist/LICENSES.txt'), 'utf8')).toMatch(/^zod .* \(MIT\)$/m);
  });

  test.each(['golem', 'golem-provider'])('%s runs', async (program) => {
    expect(await runIn(dir, [join(bin, program), '--version'])).toMatchObject({
      ...{ status: 0, stderr: '' },
      stdout: expect.stringContaining(`${manifest.version}\n`) as string,
    });
    const typo = await runIn(dir, [join(bin, program), 'versoin']);
    expect(typo).toMatchObject({ status: 2, stdout: '' });
    expect(typo.stderr).toMatch(/did you mean/i);
  });

  test.each(['golem', 'golem-provider'])(
    '%s ends quietly when nobody reads on',
    async (program) => {
      const piped = ['sh', '-c', '"$0" help | true', join(bin, program)];
      expect(await runIn(dir, piped)).toMatchObject({ status: 0, stderr: '' });
    },
  );

  const tooOld = (program: string) =>
    expect.objectContaining({
      ...{ status: 1, stdout: '' },
      stderr: expect.stringMatching(
        new RegExp(`^${program}.* needs Node 24 or newer.*\n$`),
      ) as string,
    }) as Finished;

  test.each(['golem', 'golem-provider'])('%s says to an older Node what it needs', async (name) => {
    const older = `data:text/javascript,${encodeURIComponent(
      "Object.defineProperty(process.versions, 'node', { value: '18.20.8' })",
    )}`;
    const command = [process.execPath, '--import', older, join(bin, name)];
    expect(await runIn(dir, [...command, 'version'])).toEqual(tooOld(name));
  });

  const oldNode = olderNode();
  test.runIf(oldNode)('the older Node of this machine understands as much', async () => {
    for (const name of ['golem', 'golem-provider']) {
      expect(await runIn(dir, [oldNode ?? '', join(bin, name), 'version'])).toEqual(tooOld(name));
    }
  });

  test('the SDK is imported, with its types and in a program for browsers', async () => {
    const program = join(installed, 'program.mts');
    await writeFile(program, PROGRAM);
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024'];
    const libraries = ['--lib', 'es2024,esnext.disposable,dom', '--types', ''];
    const tsc = join(root, 'node_modules/.bin/tsc');
    expect(await runIn(installed, [tsc, ...options, ...libraries, program])).toMatchObject({
      ...{ status: 0, stdout: '' },
    });
    expect(await runIn(installed, [process.execPath, program])).toEqual({
      ...{ status: 0, stderr: '', stdout: 'discovery_unreachable\n' },
    });
    // Whatever is of Node alone would not be found.
    await build({
      absWorkingDir: installed,
      entryPoints: [program],
      bundle: true,
      format: 'esm',
      write: false,
    });
  });

  test('rent and rent out', async () => {
    expect(await rent(bin, PATH)).toMatchObject(RENTED);
  });
});

describe('single-file executables', () => {
  let bin: string;

  beforeAll(async () => {
    bin = join(dir, 'single');
    const made = ['npm', 'run', '--silent', 'sea', '--', '--dir', bin];
    await done(run(made, { env: {}, cwd: root }));
  });

  test('rent and rent out where there is no Node', async () => {
    const path = join(dir, 'path');
    await mkdir(path);
    for (const program of ['env', 'sh', 'ssh', 'ssh-keygen']) {
      await symlink(join('/usr/bin', program), join(path, program));
    }
    expect(await runIn(dir, ['sh', '-c', 'command -v node'], path)).toMatchObject({ status: 127 });
    expect(await rent(bin, path)).toMatchObject(RENTED);
  });
});
