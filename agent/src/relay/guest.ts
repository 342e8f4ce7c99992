/** The guest's end of a session: a Node stream as the source and sink of bytes. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { ByteSink } from '@vm-on-golem/shared/stream/ports';

/** Reading to the end leaves the other direction open: ssh closes each by itself. */
export function sourceOf(stream: Duplex): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false });
}

/** Both ends, with what passes them counted. */
export function counted(
  ends: { readonly source: AsyncIterable<Uint8Array>; readonly sink: ByteSink },
  traffic: Traffic,
): { readonly source: AsyncIterable<Uint8Array>; readonly sink: ByteSink } {
  async function* source() {
    for await (const bytes of ends.source) {
      traffic.fromGuests += bytes.length;
      yield bytes;
    }
  }
  const sink: ByteSink = {
    write: (bytes) => {
      traffic.toGuests += bytes.length;
      return ends.sink.write(bytes);
    },
    end: () => ends.sink.end(),
  };
  return { source: source(), sink };
}

/** Bytes that sessions have carried. */
export interface Traffic {
  toGuests: number;
  fromGuests: number;
}

export function sinkOf(stream: Duplex): ByteSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    end: async () => {
      if (stream.writableFinished) return;
      const finished = once(stream, 'finish');
      stream.end();
      await finished;
    },
  };
}
