/** The agent's log: JSON lines by pino, without what must not be written down. */
import { join } from 'node:path';
import {
  destination,
  multistream,
  pino,
  stdSerializers,
  type DestinationStream,
  type Logger,
} from 'pino';
import type { Config } from '../config/config.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { currentRequest } from './context.ts';
import { RotatingFile } from './rotation.ts';

/** Nothing logs these on purpose; an error that carries a whole object must not either. */
const SECRETS = ['d', 'privateKey', 'seed', 'userData', 'sealingKey', 'signature', 'headers'];

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  /** Absolute; `-` is stderr. */
  readonly file: string;
  /** A person looks at stderr: what is written to a file is shown there as well. */
  readonly watched?: boolean;
}

type Place = Pick<Config, 'data-dir' | 'log-file'>;

/** Where the log of a provider is: an absolute path, or `-` for stderr. */
export function logFileOf({ 'data-dir': dataDir, 'log-file': file }: Place): string {
  return file ?? join(dataDir, 'log', 'provider.log');
}

/** The log and what it holds open. */
export interface OpenLog extends Disposable {
  readonly log: Logger;
}

/** @throws {GolemError} `usage` when the file cannot be written */
export function openLog({ level, file, watched = false }: LogOptions): OpenLog {
  const stderr = destination({ dest: 2, sync: true });
  if (file === '-') return { log: loggerTo(level, stderr), [Symbol.dispose]: () => undefined };
  const kept = new RotatingFile(file, AGENT_LIMITS.log, stderr);
  // Each stream of several has a level of its own, which is `info` unless it is given.
  const streams = [kept, stderr].map((stream) => ({ level, stream }));
  return {
    log: loggerTo(level, watched ? multistream(streams) : kept),
    [Symbol.dispose]: () => kept[Symbol.dispose](),
  };
}

/** A logger that says for whom it speaks and redacts secrets, wherever its lines go. */
function loggerTo(level: LogLevel, stream: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      mixin: () => {
        const request = currentRequest();
        return request === undefined ? {} : { request };
      },
    },
    stream,
  );
}
