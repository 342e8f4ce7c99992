/**
 * The streams of this process. Node makes each when it is asked for, which takes as long as all the
 * rest of a command that only prints: what is not needed is not asked for.
 */
import { fstatSync } from 'node:fs';
import type { Sink } from './output.ts';
import { sayAtOnce, STDOUT } from './say.ts';

export interface ProcessStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly error: NodeJS.WriteStream;
}

const guarded = new Set<NodeJS.WriteStream>();

export const streams: ProcessStreams = {
  get input() {
    return process.stdin;
  },
  get output() {
    return guard(process.stdout);
  },
  get error() {
    return guard(process.stderr);
  },
};

/** For data: a terminal, or anything else, which needs no stream. */
export function dataSink(): Sink {
  return fstatSync(STDOUT).isCharacterDevice()
    ? streams.output
    : { isTTY: false, write: sayAtOnce };
}

/** A reader that went away, such as `head`, is no error. */
function guard(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (guarded.has(stream)) return stream;
  guarded.add(stream);
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
