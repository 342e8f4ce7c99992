/** The main job: rent a real VM, be in it over the relay, give it back. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GolemClient } from '../../cli/src/sdk/client.ts';
import { runRelay } from '../../cli/src/tunnel/relay.ts';
import { readRelaySettings } from '../../cli/src/tunnel/settings.ts';
import { generateIdentity } from '../../shared/src/keys.ts';
import { golemFor, json, run, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { processesBelow } from '../leftovers.ts';

interface VmOutput {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly provider: string;
}

const SPEC = ['--cpu', '1', '--memory', '256M', '--storage', '2'];

let dir: string;
let stack: Stack;
let golem: Golem;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'g-'));
  stack = await startStack({ providers: 2, driver: 'qemu', dir: join(dir, 's') });
  golem = golemFor(stack.env, join(dir, 'alice'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

describe('one VM, from the table of providers to its end', () => {
  test('providers are listed with what the VM would cost', async () => {
    const { status, stdout } = await golem('vm', 'providers', ...SPEC);
    expect(status).toBe(0);
    for (const { id } of stack.providers) expect(stdout).toContain(id.slice(0, 12));
    expect(stdout).toContain('tcg');
  });

  test('create names its stages and ends when SSH answers', async () => {
    const { status, stderr } = await golem('vm', 'create', 'web', ...SPEC);
    expect(stderr).toMatch(/boot[\s\S]*ssh[\s\S]*ready/i);
    expect(status).toBe(0);
    await expect(json<VmOutput>(golem('vm', 'info', 'web', '-o', 'json'))).resolves.toMatchObject({
      name: 'web',
      state: 'running',
    });
  });

  test('inside is Linux, by the name of the VM', async () => {
    const { status, stdout } = await golem(
      'vm',
      'ssh',
      'web',
      '--',
      'uname -s; hostname; . /etc/os-release; echo $ID',
    );
    expect(stdout.split('\n')).toEqual(['Linux', 'web', 'debian', '']);
    expect(status).toBe(0);
  });

  test('the disk is as large as was asked for', async () => {
    const { stdout } = await golem('vm', 'ssh', 'web', '--', 'df -m / | tail -1');
    const mebibytes = Number(stdout.trim().split(/\s+/)[1]);
    expect(mebibytes).toBeGreaterThan(1800);
    expect(mebibytes).toBeLessThanOrEqual(2048);
  });

  test('the exit code of the remote command is ours', async () => {
    expect((await golem('vm', 'ssh', 'web', '--', 'exit 7')).status).toBe(7);
    expect((await golem('vm', 'ssh', 'web', 'false')).status).toBe(1);
  });

  test('standard input goes in, and comes out unchanged', async () => {
    const input = randomBytes(300_000).toString('base64');
    const launcher = [process.execPath, join(import.meta.dirname, '../../cli/bin/golem.js')];
    const env = { ...stack.env, GOLEM_HOME: join(dir, 'alice') };
    const { stdout } = await run([...launcher, 'vm', 'ssh', 'web', '--', 'cat'], { env, input });
    expect(stdout === input).toBe(true);
  });

  test('scp copies 64 MiB, byte for byte', async () => {
    const env = { ...stack.env, GOLEM_HOME: join(dir, 'alice') };
    const { stdout } = await golem('vm', 'ssh-config', 'web');
    await writeFile(join(dir, 'ssh_config'), stdout);
    const file = randomBytes(64 * 1024 * 1024);
    await writeFile(join(dir, 'file'), file);
    const scp = ['scp', '-q', '-F', 'ssh_config'];
    const up = await run([...scp, 'file', 'web:file'], { env, cwd: dir });
    expect(up).toMatchObject({ status: 0, stderr: '' });
    const down = await run([...scp, 'web:file', 'back'], { env, cwd: dir });
    expect(down).toMatchObject({ status: 0, stderr: '' });
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(digest(await readFile(join(dir, 'back')))).toBe(digest(file));
  });

  test('what was written is there after stop and start', async () => {
    await golem('vm', 'ssh', 'web', '--', 'echo kept > /root/note; sync');
    expect((await golem('vm', 'stop', 'web')).status).toBe(0);
    expect((await golem('vm', 'ssh', 'web', '--', 'true')).status).toBe(255);
    expect((await golem('vm', 'start', 'web')).status).toBe(0);
    expect((await golem('vm', 'ssh', 'web', '--', 'cat /root/note')).stdout).toBe('kept\n');
  });

  test('an agent that is killed finds its guest again', async () => {
    const before = await json<VmOutput>(golem('vm', 'info', 'web', '-o', 'json'));
    const provider = stack.providers.find(({ id }) => id === before.provider);
    const boots = (await golem('vm', 'ssh', 'web', '--', 'cat /proc/sys/kernel/random/boot_id'))
      .stdout;
    await provider?.end('SIGKILL');
    await provider?.restart();
    await expect(json<VmOutput>(golem('vm', 'info', 'web', '-o', 'json'))).resolves.toMatchObject({
      id: before.id,
      state: 'running',
    });
    const again = await golem('vm', 'ssh', 'web', '--', 'cat /proc/sys/kernel/random/boot_id');
    expect(again).toMatchObject({ status: 0, stdout: boots });
  });

  test('another key neither sees, enters, stops nor destroys it', async () => {
    const { id, provider } = await json<VmOutput>(golem('vm', 'info', 'web', '-o', 'json'));
    const mallory = await generateIdentity('requestor');
    const { signal } = new AbortController();
    const client = new GolemClient({ discovery: stack.discovery, identity: async () => mallory });
    const enter = async (reference: string) => {
      const upgrade = await client.sshUpgrade(provider, reference);
      const [input, output] = [new PassThrough(), new PassThrough()];
      const settings = readRelaySettings({});
      const again = async () => upgrade;
      await runRelay({ upgrade, again, input, output, signal, settings });
    };
    for (const reference of [id, 'web']) {
      const attempts = [
        () => client.vms.get(provider, reference, { signal }),
        () => client.vms.send(provider, reference, 'stop', { signal }),
        () => client.vms.send(provider, reference, 'destroy', { signal }),
        () => enter(reference),
      ];
      for (const attempt of attempts) {
        await expect(attempt()).rejects.toMatchObject({ code: 'vm_not_found' });
      }
    }
    await expect(client.vms.list(provider, { signal })).resolves.toEqual([]);
    expect((await golem('vm', 'ssh', 'web', '--', 'true')).status).toBe(0);
  });

  test('destroy leaves nothing', async () => {
    expect((await golem('vm', 'destroy', 'web', '--yes')).status).toBe(0);
    expect((await golem('vm', 'info', 'web')).status).toBe(3);
    await expect(json(golem('vm', 'list', '-o', 'json'))).resolves.toMatchObject([]);
    expect(processesBelow(dir).filter((command) => command.includes('qemu-system'))).toEqual([]);
  });
});
