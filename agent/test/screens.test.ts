/** What an operator sees and types, on a real terminal. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { environment, startAgent } from './agent.ts';
import { scratchFolder } from './provider.ts';
import { Terminal } from '../../test/terminal.ts';

/** Terminals and processes: on a busy machine they take a while. */
vi.setConfig({ testTimeout: 120_000 });

const BIN = join(import.meta.dirname, '..', 'bin', 'golem-provider.js');
const PROGRAM = `'${process.execPath}' '${BIN}'`;

let cleanup: AsyncDisposableStack;
let dir: string;
let terminal: Terminal;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

async function open(env = environment(dir), rows = 40): Promise<void> {
  terminal = cleanup.use(await Terminal.open({ rows, columns: 140, env }));
  await terminal.shows(/^\$/m);
}

describe('init', () => {
  test('asks with defaults, asks again when an answer is wrong, and writes what was said', async () => {
    await open();
    await terminal.type(`${PROGRAM} init`);
    await terminal.shows(/be listed at:$/m);
    await terminal.type('');
    await terminal.shows(/it has to be said\.\n[^\n]*be listed at:$/m);
    await terminal.type('discovery.example');
    await terminal.shows('discovery must be an http or https URL');
    await terminal.type('https://discovery.example');
    await terminal.shows(/A name that renters see \[.+\]:$/m);
    await terminal.type('attic');
    await terminal.shows(/How many of its \d+ CPUs \[50%\]:$/m);
    await terminal.type('');
    await terminal.shows(/How much of its .+ of memory \[50%\]:$/m);
    await terminal.type('25%');
    await terminal.shows(/How much of its \d+ GiB of free disk \[25%\]:$/m);
    await terminal.type('');
    await terminal.shows(/a small VM .+ costs a month, in dollars \[5.84\]:$/m);
    await terminal.type('7.30');
    const screen = await terminal.shows(/golem-provider start does it/);
    expect(screen).toMatch(/^small +1 CPU, 1 GiB, 10 GiB disk .* \$7\.30$/m);
    const content = await readFile(join(dir, 'config.toml'), 'utf8');
    for (const line of [
      'discovery = "https://discovery.example"',
      'name = "attic"',
      'cpus = "50%"',
      'memory = "25%"',
      'storage = "25%"',
      'price-cpu = 0.00625',
    ]) {
      expect(content).toContain(`\n${line}\n`);
    }
  });

  test('writes nothing when it is broken off', async () => {
    await open();
    await terminal.type(`${PROGRAM} init; echo "ended with $?"`);
    await terminal.shows(/be listed at:$/m);
    await terminal.key('C-c');
    await terminal.shows('ended with 130');
    await expect(readFile(join(dir, 'config.toml'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('evict', () => {
  test('asks, and takes nothing but yes for an answer', async () => {
    await writeFile(join(dir, 'config.toml'), '');
    const agent = cleanup.use(await startAgent(dir));
    await agent.rent(await generateIdentity('requestor'), 'web');
    await open();
    const evict = `${PROGRAM} evict web --reason spam; echo "ended with $?"`;
    await terminal.type(evict);
    await terminal.shows(/Destroy web and its disk, for good\? \[y\/N\]$/m);
    await terminal.type('');
    await terminal.shows(/Nothing was changed\.\nended with 130/);
    await terminal.type(evict);
    await terminal.shows(/Nothing was changed[^]*\[y\/N\]$/m);
    await terminal.type('yes');
    expect(await terminal.shows(/ended with 0/)).toContain('web is being destroyed.');
  });
});

describe('status --watch', () => {
  test('shows what changes, in place, and gives the screen back', async () => {
    await writeFile(join(dir, 'config.toml'), 'name = "attic"\ncpus = 4\nmax-vms = 3\n');
    const agent = cleanup.use(await startAgent(dir));
    await open(agent.env);
    await terminal.type('echo before');
    await terminal.shows(/^before$/m);
    await terminal.type(`${PROGRAM} status --watch; echo "ended with $?"`);
    const first = await terminal.shows(/^CPUs +0 of 4$/m);
    expect(first).toMatch(/^golem-provider at \d\d:\d\d:\d\d, q to quit\n\nProvider +attic \(gp_/);
    expect(first).not.toContain('before');

    await agent.rent(await generateIdentity('requestor'), 'web');
    await terminal.shows(/^CPUs +1 of 4$[^]*^web +running +1 /m);
    await agent.command('drain', '--by', '2h', '--reason', 'new disks');
    await terminal.shows('Reason given: new disks');

    await terminal.resize(60, 8);
    const small = await terminal.shows(/^golem-provider[^]*\nGuests/m);
    expect(small.split('\n').length).toBeLessThanOrEqual(8);
    await terminal.resize(140, 40);

    const gone = once(agent.child, 'exit');
    agent.child.kill('SIGTERM');
    await gone;
    const silent = await terminal.shows('! No golem-provider runs with');
    expect(silent).not.toContain('CPUs');
    await terminal.key('q');
    const after = await terminal.shows(/^ended with 0$/m);
    expect(after).toContain('before');
    expect(after).not.toContain('q to quit');
  });

  test('ends by Ctrl-C as well, and leaves keys as they were', async () => {
    await writeFile(join(dir, 'config.toml'), '');
    const agent = cleanup.use(await startAgent(dir));
    await open(agent.env);
    await terminal.type(`${PROGRAM} status --watch; echo "ended with $?"`);
    await terminal.shows(/^Link +connected/m);
    await terminal.key('C-c');
    await terminal.shows(/^ended with 0$/m);
    await terminal.type('echo still here');
    expect(await terminal.shows(/^still here$/m)).toContain('ended with 0');
  });
});

describe('doctor', () => {
  test('is one line for each check, and what helps below', async () => {
    await writeFile(join(dir, 'config.toml'), 'discovery = "http://127.0.0.1:1"\nmemory = "0%"\n');
    await open();
    await terminal.type(`${PROGRAM} doctor; echo "ended with $?"`);
    const screen = await terminal.shows(/^ended with 1$/m);
    expect(screen).toMatch(/^FAIL {2}configuration +\S+config\.toml:2: memory must be/m);
    expect(screen).toMatch(/^ +→ /m);
    expect(screen).toMatch(/^1 failure, \d warnings?\.$/m);
  });
});
