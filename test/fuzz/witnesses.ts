/** Honest parties beside hostile ones, who notice when they are served worse than alone. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { answerHeadersOf, verifyAnswer } from '../../shared/src/answers.ts';
import { paths, providerSchema, vmsPageSchema } from '../../shared/src/api.ts';
import type { Identity } from '../../shared/src/keys.ts';
import { signRequest } from '../../shared/src/signing.ts';
import { Violation } from './attack.ts';

const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');

/**
 * Within this everybody who is honest is served, though two cores may be busy with hostile floods
 * and their signatures. A session that was cut or a provider that was lost would take longer.
 */
const SERVED_WITHIN_MILLIS = 5_000;
const CHUNK_BYTES = 32 * 1024;
const PAUSE_MILLIS = 20;
const LOOK_MILLIS = 250;
/** A prime: bytes that were lost, repeated or swapped are not those that are expected. */
const PERIOD_BYTES = 65_521;

export interface Witness {
  /** What it has seen go well so far. */
  readonly count: number;
  /** The longest that it had to wait, in milliseconds. */
  readonly slowest: number;
  /** Resolves when `signal` says so. @throws {Violation} */
  readonly watch: (signal: AbortSignal) => Promise<void>;
}

/** Does `look` again and again. */
function looking(millis: number, look: () => Promise<number>): Witness {
  let [count, slowest] = [0, 0];
  return {
    get count() {
      return count;
    },
    get slowest() {
      return Math.round(slowest);
    },
    watch: async (signal) => {
      while (!signal.aborted) {
        const started = performance.now();
        count += await look();
        slowest = Math.max(slowest, performance.now() - started);
        await sleep(millis);
      }
    },
  };
}

/** `/healthz` answers, and the honest provider is listed as online. */
export function watchListing(discovery: string, provider: string): Witness {
  return looking(LOOK_MILLIS, async () => {
    const signal = AbortSignal.timeout(SERVED_WITHIN_MILLIS);
    const get = (path: string) =>
      fetch(discovery + path, { signal }).catch((cause: unknown) => {
        throw new Violation(`${path} did not answer: ${String(cause)}`, { cause });
      });
    const health = await get('/healthz');
    if (!health.ok)
      throw new Violation(`/healthz answered ${health.status} ${await health.text()}`);
    const listed = await get(paths.provider(provider));
    const text = await listed.text();
    const shown = listed.ok ? providerSchema.parse(JSON.parse(text)).online : false;
    if (!shown) throw new Violation(`the honest provider is not online: ${listed.status} ${text}`);
    return 1;
  });
}

/** A signed command reaches the honest agent, whose signed answer comes back. */
export function watchCommands(discovery: string, provider: string, identity: Identity): Witness {
  return looking(LOOK_MILLIS, async () => {
    const url = discovery + paths.vms(provider);
    const now = () => Date.now();
    const request = await signRequest({ method: 'GET', url }, identity, { now });
    const signal = AbortSignal.timeout(SERVED_WITHIN_MILLIS);
    try {
      const response = await fetch(url, { headers: request.headers, signal });
      const body = await response.text();
      const { status } = response;
      if (status !== 200) throw new Violation(`${status} ${body}`);
      await verifyAnswer(
        { status, headers: answerHeadersOf(response.headers), body },
        request,
        provider,
      );
      vmsPageSchema.parse(JSON.parse(body));
      return 1;
    } catch (cause) {
      throw new Violation(`an honest command failed: ${String(cause)}`, { cause });
    }
  });
}

export interface EchoWitness extends Witness, AsyncDisposable {}

/** Bytes to `cat` on a guest and back, over the system's ssh and `golem`. */
export async function startEcho(
  env: Readonly<Record<string, string>>,
  vm: string,
): Promise<EchoWitness> {
  const child = spawn(process.execPath, [launcher, 'vm', 'ssh', vm, '--', 'cat'], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: ssh and its proxy are ended with it.
    detached: true,
  });
  const ended = once(child, 'close');
  const { stdin, stdout, stderr } = child;
  let said = '';
  stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // An ssh that gave up says so by its exit code.
  stdin.on('error', () => stdin.destroy());
  const pattern = randomBytes(PERIOD_BYTES);
  const ring = Buffer.concat([pattern, pattern]);
  let [sent, arrived] = [0, 0];
  let wrong: string | undefined;
  let news = Promise.withResolvers<void>();
  stdout.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += PERIOD_BYTES) {
      const piece = chunk.subarray(at, at + PERIOD_BYTES);
      const from = (arrived + at) % PERIOD_BYTES;
      if (piece.equals(ring.subarray(from, from + piece.length))) continue;
      wrong ??= `bytes ${arrived + at} to ${arrived + at + piece.length} are not those that were sent`;
    }
    arrived += chunk.length;
    if (arrived > sent) wrong ??= 'more bytes came back than were sent';
    news.resolve();
    news = Promise.withResolvers();
  });
  const exited = ended.then(([code]) => {
    throw new Violation(`the honest session ended with ${String(code)}: ${said}`);
  });
  // It ends when it is disposed of, and then nobody waits.
  exited.catch(() => {});

  const exchange = async (): Promise<number> => {
    const from = sent % PERIOD_BYTES;
    sent += CHUNK_BYTES;
    stdin.write(ring.subarray(from, from + CHUNK_BYTES));
    const deadline = AbortSignal.timeout(SERVED_WITHIN_MILLIS);
    const late = once(deadline, 'abort');
    const isBack = () => wrong !== undefined || arrived >= sent;
    while (!isBack()) {
      if (deadline.aborted) {
        throw new Violation(
          `the honest session stands still: ${sent - arrived} bytes did not come back`,
        );
      }
      await Promise.race([news.promise, exited, late]);
    }
    if (wrong) throw new Violation(`the honest session is not whole: ${wrong}`);
    return CHUNK_BYTES;
  };
  await exchange();
  const witness = looking(PAUSE_MILLIS, exchange);
  return {
    get count() {
      return witness.count;
    },
    get slowest() {
      return witness.slowest;
    },
    watch: witness.watch,
    [Symbol.asyncDispose]: async () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid);
      await ended;
    },
  };
}
