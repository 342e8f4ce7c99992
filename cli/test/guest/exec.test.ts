/** `golem vm exec` by ssh2, in a guest of this process: streams, exit codes, words, and who may come in. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exec } from '../../src/commands/vm/exec.ts';
import { knownHostsFile } from '../../src/openssh/known-hosts.ts';
import { HOST_KEY, vmOf } from '../network.ts';
import { worldOf, type World } from './world.ts';

/** Much is moved, or waited for, on machines that have other work as well. */
const ROOM = { timeout: 30_000 };

let world: World;
beforeEach(async () => {
  world = await worldOf();
});
afterEach(() => world[Symbol.asyncDispose]());

const run = (words: readonly string[], input?: string | Buffer) => world.run(exec, words, input);
const sh = (script: string, input?: string | Buffer) =>
  run(['web', '--', 'sh', '-c', script], input);

describe('a program in a guest', () => {
  test('has its streams here, and its exit code is ours', async () => {
    const ran = await sh('cat; echo problem >&2; exit 7', 'hello');
    expect(ran).toMatchObject({ code: 7, stderr: 'problem\n' });
    expect(ran.stdout.toString()).toBe('hello');
  });

  test('that a signal ends is told as a shell tells it', async () => {
    expect((await sh('kill -TERM $$')).code).toBe(128 + 15);
  });

  test('gets and gives 8 MiB unchanged', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const { stdout, code } = await run(['web', 'cat'], bytes);
    expect(code).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
  });

  test('is kept waiting by whoever does not read, and is not kept in memory', ROOM, async () => {
    const { context } = world.here;
    const output = new PassThrough();
    Object.assign(context, {
      streams: { input: new PassThrough().end(), output, error: new PassThrough() },
    });
    const script =
      'for i in $(seq 100); do head -c 1048576 /dev/zero; echo $i > mebibytes.new; mv mebibytes.new mebibytes; done';
    const ended = world.here.run(exec, 'web', '--', 'sh', '-c', script);
    const written = async () =>
      Number(await readFile(join(world.home, 'mebibytes'), 'utf8').catch(() => 0));
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = await written();
          const isStuck = now > 0 && now === before;
          before = now;
          return isStuck;
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true);
    // What fits into the windows of SSH and of the relay on the way.
    expect(before).toBeLessThan(50);
    let size = 0;
    output.on('data', (chunk: Buffer) => void (size += chunk.length));
    expect(await ended).toBe(0);
    expect(size).toBe(100 * 1024 * 1024);
  });

  test('is given its words as they are', async () => {
    const words = ['a b', '$HOME', "it's", '*', '', '-n', 'x\ny', '"', '\\'];
    const { stdout } = await run(['web', '--', 'printf', '<%s>', ...words]);
    expect(stdout.toString()).toBe(words.map((word) => `<${word}>`).join(''));
  });

  test('runs where and with what it is told', async () => {
    const { stdout } = await run([
      '-e',
      'A=1 $x',
      '-e',
      'B=',
      '-w',
      '/',
      'web',
      'sh',
      '-c',
      'pwd; echo "$A|$B"',
    ]);
    expect(stdout.toString()).toBe('/\n1 $x|\n');
    expect((await run(['-w', 'nowhere', 'web', 'true'])).code).not.toBe(0);
  });

  test.each([[['web']], [['-e', 'A', 'web', 'true']], [['-e', '1A=b', 'web', 'true']]])(
    'is not started by %j',
    async (words) => {
      await expect(run(words)).rejects.toMatchObject({ code: 'usage' });
      expect(world.guest.logins()).toBe(0);
    },
  );

  test('is told of Ctrl-C, and ended', async () => {
    const { context, stop } = world.here;
    const output = new PassThrough();
    Object.assign(context, {
      streams: { input: new PassThrough(), output, error: new PassThrough() },
    });
    const ended = world.here.run(
      exec,
      'web',
      '--',
      'sh',
      '-c',
      'trap "echo told; exit 1" INT; echo ready; sleep 100 & wait',
    );
    const heard: string[] = [];
    output.setEncoding('utf8').on('data', (text: string) => {
      heard.push(text);
      if (text.includes('ready')) stop.abort(new GolemError('interrupted'));
    });
    await expect(ended).rejects.toMatchObject({ code: 'interrupted' });
    expect(heard.join('')).toBe('ready\ntold\n');
  });
});

describe('whoever cannot come in is told why', () => {
  test('by Ctrl-C, where the guest does not answer', async () => {
    world.guest.isSilent = true;
    const { context, stop } = world.here;
    const { sshUpgrade } = context.client;
    context.client.sshUpgrade = async (...words) => {
      setImmediate(() => stop.abort(new GolemError('interrupted')));
      return sshUpgrade(...words);
    };
    await expect(run(['web', 'true'])).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('a guest with another host key is refused, and sent nothing', async () => {
    const { paths, book } = world.here.context;
    const { provider = '' } = (await book.get('web')) ?? {};
    const file = knownHostsFile(paths, { provider, vm: vmOf() });
    await writeFile(file, `${vmOf().id}.${provider} ${HOST_KEY}\n`);
    await expect(run(['web', 'true'])).rejects.toMatchObject({
      code: 'host_key_changed',
      exitCode: 4,
      message: expect.stringMatching(/Expected SHA256:\S{43}, seen SHA256:\S{43}/),
      hint: expect.stringContaining('golem vm destroy web'),
    });
    expect(world.guest.logins()).toBe(0);
  });

  test('a VM that is stopped, in the words of its provider', async () => {
    const stopped = new GolemError('wrong_state', 'The VM is stopped.');
    world.guest.refuse = { status: 409, body: stopped.toBody() };
    await expect(run(['web', 'true'])).rejects.toMatchObject({
      code: 'wrong_state',
      message: 'The VM is stopped.',
    });
  });

  test('a key that the guest does not know', async () => {
    const { generateOpenSshKeyPair } = await import('@vm-on-golem/shared/openssh');
    const entry = await world.here.context.book.get('web');
    await writeFile(entry?.sshKey ?? '', (await generateOpenSshKeyPair()).privateKey);
    await expect(run(['web', 'true'])).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('a connection that is lost', async () => {
    const ended = sh('echo ready; sleep 100');
    await expect.poll(() => world.guest.logins()).toBe(1);
    world.guest.cut();
    await expect(ended).rejects.toMatchObject({
      code: 'relay_failed',
      message: expect.stringContaining('the other end is gone'),
    });
  });
});
