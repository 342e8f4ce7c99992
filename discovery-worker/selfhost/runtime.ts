/** One workerd process: started, watched, ended in order or at once, and gone whenever this one is. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { ENTRY } from './config.ts';

/** Path of the binary. */
const { default: workerd } = createRequire(import.meta.url)('workerd') as { default: string };

/**
 * Becomes workerd, and leaves a watcher behind that kills it and removes its folder when file
 * descriptor 4 closes: that happens also when this process is killed and can clean up nothing.
 */
const GUARDED =
  '(read -r _ <&4; kill -9 $$; rm -rf -- "$FOLDER") 3>&- 2>/dev/null & exec "$@" 4<&-';

export interface Runtime {
  /** The port that the entry socket listens on. */
  readonly port: number;
  /** Settles when the process ends by itself, which it should not. */
  readonly crashed: Promise<string>;
  /**
   * Lets it write out what it has answered, for a moment, and kills it then or when `hurry` aborts.
   */
  end(hurry: AbortSignal): Promise<void>;
  /** Kills it: what was confirmed is on disk. Resolves when nothing of it is left. */
  close(): Promise<void>;
}

export interface RuntimeOptions {
  /** As `workerdConfig` makes it. */
  readonly config: Buffer;
  /** Removed in the end, whatever the end is. */
  readonly folder: string;
  readonly log: (line: string) => void;
}

/** @throws with what workerd said when it does not start. */
export async function startWorkerd({ config, folder, log }: RuntimeOptions): Promise<Runtime> {
  const args = ['serve', '--binary', '--experimental', '--control-fd=3', '-'];
  const child = spawn('sh', ['-c', GUARDED, 'sh', workerd, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { TZ: 'UTC', PATH: process.env['PATH'], FOLDER: folder },
    // A Ctrl-C in the terminal is for this process to handle.
    detached: true,
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (said.length < 20) said.push(line);
      log(line);
    });
  }
  const ended = once(child, 'close');
  const closing = new AbortController();
  const close = async () => {
    closing.abort();
    child.kill('SIGKILL');
    (child.stdio[4] as Readable).destroy();
    await ended;
  };
  const end = async (hurry: AbortSignal) => {
    closing.abort();
    child.kill('SIGTERM');
    const over = new AbortController();
    const { exitMillis } = DISCOVERY_LIMITS.shutdown;
    const late = sleep(exitMillis, undefined, { signal: AbortSignal.any([hurry, over.signal]) });
    await Promise.race([once(child, 'exit'), late]).catch((error: unknown) => {
      if (!hurry.aborted) throw error;
    });
    over.abort();
    await close();
  };
  child.stdin?.on('error', () => {
    // It ended before it read its config; `ended` tells.
  });
  child.stdin?.end(config);
  const port = await Promise.race([listening(child), ended.then(() => undefined)]);
  if (port === undefined) {
    await close();
    throw new Error(`workerd did not start:\n${said.join('\n')}`);
  }
  const crashed = ended.then(
    ([code, signal]) =>
      new Promise<string>((resolve) => {
        if (!closing.signal.aborted) resolve(`workerd ended with ${String(signal ?? code)}`);
      }),
  );
  return { port, crashed, end, close };
}

/** workerd says on its control channel which port each socket got. */
async function listening(child: ChildProcess): Promise<number | undefined> {
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const message = JSON.parse(line) as { event: string; socket?: string; port?: number };
    if (message.event === 'listen' && message.socket === ENTRY) return message.port;
  }
  return undefined;
}
