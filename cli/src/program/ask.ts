/** Questions on a terminal; loaded when one is asked. */
import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';

/** What is typed here is seen nowhere. */
export class Nowhere extends Writable {
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

/**
 * @returns undefined when the input ended instead
 * @throws {GolemError} `interrupted` by Ctrl-C
 */
export async function ask(
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
  question: string,
  isTerminal = true,
): Promise<string | undefined> {
  const prompt: Interface = createInterface({ input, output, terminal: isTerminal });
  const ended = new AbortController();
  let isInterrupted = false;
  prompt.once('SIGINT', () => {
    isInterrupted = true;
    prompt.close();
  });
  prompt.once('close', () => ended.abort());
  try {
    return await prompt.question(question, { signal: ended.signal });
  } catch (cause) {
    if (isInterrupted) throw new GolemError('interrupted', undefined, { cause });
    if (ended.signal.aborted) return undefined;
    throw cause;
  } finally {
    prompt.close();
  }
}
