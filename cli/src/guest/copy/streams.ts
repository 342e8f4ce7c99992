/** Standard input and output as the one file of a side. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Files, OpenFile } from './files.ts';

const none = async () => {
  throw new GolemError('usage', 'A stream is no folder.');
};

/**
 * A path is whatever it is called by.
 * @param signal ends the waiting for input that may never come
 */
export function streamFiles(input: Readable, output: Writable, signal: AbortSignal): Files {
  // Whoever reads it hears of it there; when nobody does, nothing is lost.
  input.on('error', () => undefined);
  signal.addEventListener('abort', () => input.destroy(signal.reason as Error), { once: true });
  const file: OpenFile = {
    read: () => input,
    write: async (bytes) => {
      if (!output.write(bytes)) await once(output, 'drain');
    },
    flush: () =>
      new Promise((resolve, reject) => {
        output.write('', (error) => (error ? reject(error) : resolve()));
      }),
    setMode: async () => undefined,
    setTime: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return {
    isOurs: true,
    stat: async () => ({ kind: 'other', mode: 0o666, size: 0, mtime: 0 }),
    openToRead: async () => file,
    openToWrite: async () => file,
    ...{ list: none, makeFolder: none, rename: none, remove: none, readLink: none, makeLink: none },
    ...{ resolve: none, setFolder: none },
    join: (_folder, name) => name,
    parent: (path) => path,
  };
}
