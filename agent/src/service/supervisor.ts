/** Who started this process, and would start it again: what they are told of how it goes. */
import { execFile } from 'node:child_process';
import type { Logger } from 'pino';

/** Of the launchd job; reverse domain, as launchd wants it. */
export const LAUNCHD_LABEL = 'golem.provider';

export type Supervisor = 'systemd' | 'launchd';

type Env = Record<string, string | undefined>;

/**
 * Both set a variable for what they start. A shell in a desktop session inherits many of theirs, so
 * only those count that name this very process.
 */
export function supervisorOf(env: Readonly<Env>, pid: number): Supervisor | null {
  if (env['SYSTEMD_EXEC_PID'] === String(pid)) return 'systemd';
  return env['XPC_SERVICE_NAME'] === LAUNCHD_LABEL ? 'launchd' : null;
}

export interface Notifier extends Disposable {
  /** It does what it is there for; from now on it also says regularly that it is alive. */
  ready(status: string): void;
  stopping(): void;
}

/**
 * Tells systemd, if systemd is to be told: `sd_notify` by way of `systemd-notify`, as Node has no
 * datagram sockets of that kind. Takes its variables out of `env`, so that no guest inherits them.
 */
export function openNotifier(env: Env, pid: number, log: Logger): Notifier {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: watched } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  let alive: NodeJS.Timeout | undefined;
  const send = (...states: string[]) => {
    if (socket === undefined) return;
    const child = { env: { PATH: env['PATH'], NOTIFY_SOCKET: socket } };
    execFile('systemd-notify', ['--no-block', ...states], child, (error) => {
      if (error) log.warn({ err: error }, 'systemd could not be told how it goes');
    });
  };
  return {
    ready: (status) => {
      send('READY=1', `STATUS=${status}`);
      const millis = watchdogMillis(watchdog, watched, pid);
      if (millis !== undefined) alive ??= setInterval(() => send('WATCHDOG=1'), millis).unref();
    },
    stopping: () => send('STOPPING=1'),
    [Symbol.dispose]: () => clearInterval(alive),
  };
}

/** A third of the time after which systemd takes it for dead: two signs of life may be late. */
function watchdogMillis(
  usec: string | undefined,
  watched: string | undefined,
  pid: number,
): number | undefined {
  if (usec === undefined || !/^[1-9]\d{0,12}$/.test(usec)) return undefined;
  if (watched !== undefined && watched !== String(pid)) return undefined;
  return Math.max(1, Math.floor(Number(usec) / 1000 / 3));
}
