/** `golem` as a process: what is printed where, and with which exit code it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { EXIT } from '@vm-on-golem/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const launcher = join(import.meta.dirname, '..', 'bin', 'golem.js');
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem-program-'));
});
afterEach(() => rm(home, { recursive: true }));

/** Nobody listens on the discard port. */
const NOBODY = 'http://127.0.0.1:9';

interface RunOptions {
  readonly command?: readonly string[];
  readonly discovery?: string;
  readonly update?: string;
}

async function run(
  args: readonly string[],
  { command = [process.execPath, launcher], discovery = NOBODY, update = '' }: RunOptions = {},
) {
  const [program = '', ...first] = command;
  const child = spawn(program, [...first, ...args], {
    env: { ...process.env, GOLEM_HOME: home, GOLEM_DISCOVERY: discovery, GOLEM_UPDATE_URL: update },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: (await closed)[0], stdout, stderr };
}

describe('golem', () => {
  test.each([['--version'], ['-V'], ['version']])('%s', async (word) => {
    const { version } = JSON.parse(
      await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8'),
    ) as { version: string };
    expect(await run([word])).toEqual({ status: 0, stdout: `golem ${version}\n`, stderr: '' });
  });

  test('version is a command like any other', async () => {
    const { stdout } = await run(['version', '-o', 'yaml']);
    expect(stdout).toMatch(/^version: .*\nnode: 24\./);
    expect(JSON.parse((await run(['-o', 'json', 'version'])).stdout)).toHaveProperty('version');
    expect(await run(['version', '--bogus'])).toMatchObject({ status: EXIT.usage, stdout: '' });
    expect(await run(['version', 'x'])).toMatchObject({ status: EXIT.usage, stdout: '' });
  });

  test.each([
    ['{"version":"999.0.0"}', 'golem: 999.0.0 is there; this is ', '999.0.0'],
    ['{"version":"0.0.1"}', '', null],
    ['{"version":"latest"}', 'does not say which version is the newest', null],
    ['gone', 'does not say which version is the newest', null],
  ])('a newer version is looked for where somebody said: %s', async (body, notice, newer) => {
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const update = `http://127.0.0.1:${(server.address() as AddressInfo).port}/latest`;
    const plain = await run(['version'], { update });
    expect(plain).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^golem \d/) as string,
    });
    expect(plain.stderr).toContain(notice);
    if (notice === '') expect(plain.stderr).toBe('');
    const asJson = await run(['version', '-o', 'json'], { update });
    expect(JSON.parse(asJson.stdout)).toMatchObject({ newer });
    server.close();
  });

  test('common options may stand anywhere', async () => {
    for (const words of [
      ['-o', 'json', 'vm', 'list', '--cached'],
      ['vm', '--output=json', 'list', '--cached'],
      ['--debug', 'vm', '-ojson', 'list', '--cached', '--no-color', '--yes'],
    ]) {
      expect(await run(words)).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
    }
  });

  test('--debug shows requests, -q or not', async () => {
    const server = createServer((_, response) => response.writeHead(404).end()).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const discovery = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { stderr } = await run(['--debug', '-q', 'vm', 'providers'], { discovery });
    server.close();
    expect(stderr).toMatch(/^golem: GET \/v1\/providers\S* 404 .* ms$/m);
  });

  test.each([[[]], [['help']], [['--help']], [['vm']], [['vm', '--help']]])(
    'prints its help on stdout: %j',
    async (words) => {
      const { status, stdout, stderr } = await run(words);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/golem vm create/);
    },
  );

  test.each([[['vm', 'create', '--help']], [['help', 'vm', 'create']]])(
    'prints the help of a command: %j',
    async (words) => {
      const { status, stdout } = await run(words);
      expect(status).toBe(0);
      expect(stdout).toMatch(/--memory SIZE/);
      expect(stdout).toMatch(/--output FORMAT/);
    },
  );

  test.each([
    [['vn'], 'golem vm'],
    [['create'], 'golem vm create'],
    [['vm', 'crate'], 'golem vm create'],
    [['vm', 'create', '--memroy', '1'], '--memory'],
    [['vm', 'create', '--size', 'smal'], 'small'],
  ])('says what %j was meant to be', async (words, guess) => {
    const { status, stdout, stderr } = await run(words);
    expect({ status, stdout }).toEqual({ status: EXIT.usage, stdout: '' });
    expect(stderr).toMatch(/^golem: /);
    expect(stderr).toContain(`Did you mean`);
    expect(stderr).toContain(guess);
  });

  test('says that discovery cannot be reached, with an exit code of its own', async () => {
    const { status, stdout, stderr } = await run(['vm', 'providers']);
    expect({ status, stdout }).toEqual({ status: EXIT.unreachable, stdout: '' });
    expect(stderr).toContain(NOBODY);
    expect(stderr).toContain('hint: ');
  });

  test.each([
    [['vm', 'providers', '-o', 'json'], 'discovery_unreachable'],
    [['vm', 'crate', '-o', 'json'], 'usage'],
    [['vm', 'info', 'web', '--output=json'], 'vm_not_found'],
  ])('gives JSON to whoever asks for it, also of errors: %j', async (words, code) => {
    const { stdout, stderr } = await run(words);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toMatchObject({ error: { code } });
  });

  test('prints an empty list as data, in every format', async () => {
    expect(await run(['vm', 'list', '--cached', '-o', 'json'])).toEqual({
      status: 0,
      stdout: '[]\n',
      stderr: '',
    });
    expect((await run(['vm', 'list', '--cached', '-o', 'name'])).stdout).toBe('');
    expect((await run(['vm', 'list', '--cached'])).stdout).toMatch(/^NAME\tSTATE\t/);
    expect((await run(['vm', 'list', '--cached', '-o', 'yaml'])).stdout).toBe('[]\n');
    const wrong = await run(['vm', 'list', '-o', 'xml']);
    expect(wrong).toMatchObject({ status: EXIT.usage, stdout: '' });
  });

  test('ends ssh as ssh ends when there is no connection: 255', async () => {
    expect((await run(['vm', 'proxy', 'web'])).status).toBe(EXIT.transport);
  });

  test('minds no reader that goes away', async () => {
    const golem = `'${process.execPath}' '${launcher}'`;
    const script = `${golem} help 2>&1 >/dev/null | cat; ${golem} help | true`;
    const piped = await run([], { command: ['sh', '-c', script] });
    expect(piped).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('asks for no secret of others: a key that is readable is refused', async () => {
    await writeFile(join(home, 'key.json'), '{}', { mode: 0o644 });
    const { status, stderr } = await run([
      'vm',
      'create',
      'web',
      '--provider',
      `gp_${'a'.repeat(26)}`,
    ]);
    expect(status).toBe(EXIT.denied);
    expect(stderr).toContain('chmod 600');
  });
});
