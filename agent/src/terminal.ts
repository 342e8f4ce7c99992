/** Questions to a person, on stderr, so that stdout stays data. */
import { createInterface } from 'node:readline/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Surroundings } from './commands/command.ts';

type Streams = Pick<Surroundings, 'stdin' | 'stderr'>;

export interface Question {
  readonly text: string;
  /** What an empty line means; none where something has to be said. */
  readonly fallback?: string;
  /** @throws {GolemError} to have the question asked again */
  readonly check?: (answer: string) => void;
}

/** Whether there is somebody to be asked. */
export function isInteractive({ stdin, stderr }: Streams): boolean {
  return stdin.isTTY && stderr.isTTY;
}

/** @throws {GolemError} `interrupted` by Ctrl-C or the end of the input */
export async function ask({ stdin, stderr }: Streams, question: Question): Promise<string> {
  const { text, fallback, check } = question;
  for (;;) {
    const prompt = fallback === undefined ? `${text}: ` : `${text} [${fallback}]: `;
    const answer = (await readLine({ stdin, stderr }, prompt)).trim() || fallback;
    if (answer === undefined) {
      stderr.write('There is nothing to take for this one: it has to be said.\n');
      continue;
    }
    try {
      check?.(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      stderr.write(`${error.message}\n`);
    }
  }
}

/** No is the answer of whoever says nothing. */
export async function confirm(streams: Streams, text: string): Promise<boolean> {
  return /^y(?:es)?$/i.test((await readLine(streams, `${text} [y/N] `)).trim());
}

async function readLine({ stdin, stderr }: Streams, prompt: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr });
  const ended = new AbortController();
  lines.once('SIGINT', () => lines.close());
  lines.once('close', () => ended.abort());
  try {
    return await lines.question(prompt, { signal: ended.signal });
  } catch (cause) {
    if (!ended.signal.aborted) throw cause;
    stderr.write('\n');
    throw new GolemError('interrupted', undefined, { cause });
  } finally {
    lines.close();
  }
}
