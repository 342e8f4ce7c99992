/** A real `systemd-notify`, and a socket where systemd would be. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openNotifier, supervisorOf } from './supervisor.ts';

let dir: string;
let systemd: ChildProcess;
let said: string;
const log = pino({ level: 'silent' });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'notify-'));
  systemd = spawn('socat', ['-u', `UNIX-RECV:${join(dir, 's')}`, 'STDOUT'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  said = '';
  systemd.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (spawnSync('test', ['-S', join(dir, 's')]).status !== 0);
});
afterEach(async () => {
  systemd.kill();
  await once(systemd, 'exit');
  await rm(dir, { recursive: true });
});

/** Datagrams have no ends that a pipe would show. */
async function heard(words: string): Promise<void> {
  while (!said.includes(words)) await once(systemd.stdout ?? systemd, 'data');
}

describe('systemd', () => {
  test('is told that it is ready, that it lives, and that it stops', async () => {
    const env: Record<string, string | undefined> = {
      PATH: process.env['PATH'],
      NOTIFY_SOCKET: join(dir, 's'),
      WATCHDOG_USEC: '150000',
      WATCHDOG_PID: String(process.pid),
    };
    using notifier = openNotifier(env, process.pid, log);
    expect(Object.keys(env)).toEqual(['PATH']);
    notifier.ready('serving');
    await heard('READY=1\nSTATUS=serving');
    await heard('WATCHDOG=1WATCHDOG=1');
    notifier.stopping();
    await heard('STOPPING=1');
  });
});

test('without systemd nobody is told', async () => {
  // A program that is not there would be noticed.
  let warnings = 0;
  const watched = pino({ level: 'warn' }, { write: () => void (warnings += 1) });
  const notifier = openNotifier({ PATH: '/nowhere' }, process.pid, watched);
  notifier.ready('serving');
  notifier.stopping();
  const told = openNotifier({ PATH: '/nowhere', NOTIFY_SOCKET: '/none' }, process.pid, watched);
  told.ready('serving');
  await expect.poll(() => warnings).toBe(1);
});

test('only the one that has started this very process counts', () => {
  expect(supervisorOf({ INVOCATION_ID: 'x', SYSTEMD_EXEC_PID: '7' }, 8)).toBe(null);
  expect(supervisorOf({ SYSTEMD_EXEC_PID: '7' }, 7)).toBe('systemd');
  expect(supervisorOf({ XPC_SERVICE_NAME: 'golem.provider' }, 7)).toBe('launchd');
  expect(supervisorOf({ XPC_SERVICE_NAME: '0' }, 7)).toBe(null);
  expect(supervisorOf({}, 7)).toBe(null);
});
