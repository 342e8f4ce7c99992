/** What is measured on one way to the guest, with the real OpenSSH client. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../lib/report.ts';

const KEYSTROKE_MILLIS = 2;
const LIMIT_MILLIS = 300_000;

export interface Ssh {
  readonly config: string;
  readonly host: string;
  /** Words of a shell that run a command there, if that is not what ssh does by itself. */
  readonly enter?: string;
}

/** @returns seconds. @throws with what ssh said */
async function run(command: string): Promise<number> {
  const started = performance.now();
  const child = spawn('bash', ['-o', 'pipefail', '-c', command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT_MILLIS,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-1000)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command}: ${signal ?? code}: ${said.trim()}`);
  return (performance.now() - started) / 1000;
}

const ssh = ({ config, host }: Ssh, ...options: readonly string[]) =>
  ['ssh', '-F', config, ...options, host].join(' ');

/** @returns seconds that `bytes` take to the guest, the connection included */
export function up(to: Ssh, bytes: number): Promise<number> {
  return run(`head -c ${bytes} /dev/zero | ${ssh(to)} 'cat > /dev/null'`);
}

export function down(to: Ssh, bytes: number): Promise<number> {
  return run(`${ssh(to)} 'head -c ${bytes} /dev/zero' > /dev/null`);
}

/** @returns milliseconds of `ssh host true`, or of `golem vm ssh NAME -- true` */
export async function handshake(to: Ssh): Promise<number> {
  return (await run(`${to.enter ?? ssh(to)} true`)) * 1000;
}

/**
 * Several channels of one ssh connection at once.
 * @returns seconds, without the time to connect
 */
export async function channels(to: Ssh, count: number, bytesEach: number): Promise<number> {
  const control = `/tmp/golem-bench-${process.pid}`;
  const shared = ['-o', `ControlPath=${control}`];
  await run(`${ssh(to, '-o', 'ControlMaster=yes', '-f', '-N', ...shared)} > /dev/null 2>&1`);
  try {
    const one = `${ssh(to, ...shared)} 'head -c ${bytesEach} /dev/zero' > /dev/null`;
    const all = Array.from({ length: count }, () => `${one} & p="$p $!"`).join('\n');
    return await run(`p=""\n${all}\nfor one in $p; do wait $one || exit 1; done`);
  } finally {
    await run(`${ssh(to, '-O', 'exit', ...shared)} > /dev/null 2>&1`);
  }
}

/** @returns milliseconds from a byte that is typed to its echo: the median and the 99th percentile */
export async function keystrokes(to: Ssh, count: number): Promise<{ p50: number; p99: number }> {
  const child = spawn('ssh', ['-F', to.config, to.host, 'cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const trips: number[] = [];
  try {
    for (let n = -20; n < count; n += 1) {
      const started = performance.now();
      child.stdin.write('x');
      await once(child.stdout, 'data', { signal: AbortSignal.timeout(30_000) });
      if (n >= 0) trips.push(performance.now() - started);
      await sleep(KEYSTROKE_MILLIS);
    }
  } finally {
    child.stdin.end();
    child.kill();
    await once(child, 'close');
  }
  return { p50: quantile(trips, 0.5), p99: quantile(trips, 0.99) };
}
