/**
 * The agent as a service: installed where systemd seems to be, in a view of the file system of its own,
 * with a stand-in for `systemctl`; and telling a real socket how it goes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { environment, startAgent, type Ran } from './agent.ts';
import { scratchFolder } from './provider.ts';

/** Every command is a process: on a busy machine a dozen of them take a while. */
vi.setConfig({ testTimeout: 60_000 });

const BIN = join(import.meta.dirname, '..', 'bin', 'golem-provider.js');

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

describe('a service of systemd', () => {
  const unit = () => join(dir, 'units', 'golem-provider.service');

  /** Runs shell lines where `/run` and `/etc/systemd/system` are others. `$P` is the program. */
  async function aside(...lines: string[]): Promise<Ran> {
    const script = [
      'mount -t tmpfs none /run',
      'mkdir -p /run/systemd/system /etc/systemd/system',
      'mount --bind "$HOME/units" /etc/systemd/system',
      ...lines,
    ].join(' && ');
    const env: Record<string, string> = { ...environment(dir), P: `${process.execPath} ${BIN}` };
    const child = spawn('unshare', ['--mount', 'sh', '-c', script], {
      env: { ...env, PATH: `${join(dir, 'bin')}:${env['PATH']}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number]>,
    ]);
    return { code, stdout, stderr };
  }

  beforeEach(async () => {
    if (process.getuid?.() !== 0) throw new Error('this test has to run as root');
    await mkdir(join(dir, 'bin'));
    await mkdir(join(dir, 'units'));
    const systemctl = join(dir, 'bin', 'systemctl');
    await writeFile(
      systemctl,
      `#!/bin/sh\necho "$@" >> '${dir}/calls'\n[ ! -e '${dir}/fails' ] || { echo "no way" >&2; exit 1; }\n`,
    );
    await chmod(systemctl, 0o755);
    await writeFile(join(dir, 'config.toml'), 'discovery = "https://discovery.example"\n');
  });

  const calls = async () => (await readFile(join(dir, 'calls'), 'utf8')).trim().split('\n');

  test('is installed, seen, and removed', async () => {
    const installed = await aside('GOLEM_PROVIDER_NAME=here $P service install');
    expect(installed).toMatchObject({ code: 0, stderr: '' });
    expect(installed.stdout).toContain(
      '! GOLEM_PROVIDER_NAME is set here and not for the service.',
    );
    const content = await readFile(unit(), 'utf8');
    const words = `${process.execPath} ${BIN} start --config ${join(dir, 'config.toml')} --data-dir ${join(dir, '.local', 'share', 'golem-provider')}`;
    expect(content).toContain(`\nExecStart=${words}\n`);
    expect(content).toContain('\nKillMode=process\n');
    expect(await calls()).toEqual(['daemon-reload', 'enable --now golem-provider.service']);

    expect(await aside('$P service status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Installed for systemd .* and running\.\n$/) as string,
    });
    const removed = await aside('$P service uninstall -o json', '$P service status');
    expect(removed).toMatchObject({ code: 7, stderr: '' });
    expect(removed.stdout).toMatch(/^\{"removed":".*"\}\nNot installed/);
    expect((await calls()).at(-1)).toBe('disable --now golem-provider.service');
    expect(await aside('$P service uninstall')).toMatchObject({ code: 3, stdout: '' });
  });

  test('that systemd does not take is said so, in its words', async () => {
    await writeFile(join(dir, 'fails'), '');
    const refused = await aside('$P service install');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toBe("golem-provider: 'systemctl daemon-reload' failed: no way\n");
    expect((await aside('$P service status')).stdout).toContain('not running');
  });

  test('by sudo is refused to whoever has a configuration that root would not take', async () => {
    const own = join(dir, 'home', '.config', 'golem-provider');
    await mkdir(own, { recursive: true });
    await writeFile(join(own, 'config.toml'), 'discovery = "https://discovery.example"\n');
    const users = `root:x:0:0::/root:/bin/sh\nann:x:1000:1000::${join(dir, 'home')}:/bin/sh\n`;
    await writeFile(join(dir, 'passwd'), users);
    const asAnn = (words: string) =>
      aside(
        'mount --bind "$HOME/passwd" /etc/passwd',
        `env -u GOLEM_PROVIDER_CONFIG SUDO_USER=ann $P service install ${words}`,
      );
    const refused = await asAnn('');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(`${own}/config.toml is ann's`);
    expect(refused.stderr).toContain('without sudo');
    const named = await asAnn('--config "$HOME/config.toml" --data-dir /var/lib/golem-provider');
    expect(named).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(unit(), 'utf8')).toContain(
      ` --config ${join(dir, 'config.toml')} --data-dir /var/lib/golem-provider\n`,
    );
    await rm(join(own, 'config.toml'));
    expect((await asAnn('')).stderr).toContain('A service needs a configuration');
  });

  test('of one user needs no root, and says when it would end', async () => {
    await chmod(dir, 0o777);
    const user =
      'setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_CONFIG_HOME="$HOME/user"';
    const installed = await aside(`${user} $P service install`);
    expect(installed).toMatchObject({ code: 0, stderr: '' });
    expect(installed.stdout).toContain('unless you run: loginctl enable-linger');
    const file = join(dir, 'user', 'systemd', 'user', 'golem-provider.service');
    expect(await readFile(file, 'utf8')).toContain('\nNotifyAccess=all\n');
    expect((await calls())[0]).toBe('--user daemon-reload');
  });
});

test('systemd is told when the agent serves, and when it stops; its variables go no further', async () => {
  const socket = join(dir, 'notify');
  const systemd = spawn('socat', ['-u', `UNIX-RECV:${socket}`, 'STDOUT'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.defer(async () => {
    systemd.kill();
    await once(systemd, 'exit');
  });
  let said = '';
  systemd.stdout.setEncoding('utf8').on('data', (words: string) => {
    said += words;
  });
  const heard = async (words: string) => {
    while (!said.includes(words)) await once(systemd.stdout, 'data');
  };
  await expect
    .poll(() => readFile(socket).catch((error: NodeJS.ErrnoException) => error.code), {
      timeout: 30_000,
    })
    .toBe('ENXIO');

  await writeFile(join(dir, 'config.toml'), '');
  const watchdog = { WATCHDOG_USEC: '600000' };
  const agent = cleanup.use(await startAgent(dir, { NOTIFY_SOCKET: socket, ...watchdog }));
  await heard(`READY=1\nSTATUS=serving as ${agent.id}`);
  await heard('WATCHDOG=1');
  expect((await agent.command('stop')).code).toBe(0);
  await heard('STOPPING=1');
  expect(agent.child.exitCode).toBe(0);
});
