/** Many small requests for one file under way at once, so that a round trip costs no waiting. */
import { GUEST_LIMITS } from '../limits.ts';

const { requestsInFlight, requestBytes } = GUEST_LIMITS;

/**
 * In order, to the end of the file.
 * @param read at most so many bytes from there; none at the end
 */
export async function* readInFlight(
  read: (length: number, position: number) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const waiting: { position: number; answer: Promise<Uint8Array> }[] = [];
  let next = 0;
  const ask = (length: number, position: number) => {
    const answer = read(length, position);
    // One that fails is told when it is its turn.
    answer.catch(() => undefined);
    return { position, answer };
  };
  for (;;) {
    // One more at a time: a small file is not asked for 64 times.
    for (let more = 0; more < 2 && waiting.length < requestsInFlight; more += 1) {
      waiting.push(ask(requestBytes, next));
      next += requestBytes;
    }
    const first = waiting.shift();
    if (!first) return;
    const { position } = first;
    let bytes = await first.answer;
    if (bytes.length === 0) return;
    yield bytes;
    // A server may give less than it was asked for, which is no end yet.
    for (let got = bytes.length; got < requestBytes; got += bytes.length) {
      bytes = await ask(requestBytes - got, position + got).answer;
      if (bytes.length === 0) return;
      yield bytes;
    }
  }
}

export interface InFlightWriter {
  write(bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

/** @param send resolves when the bytes are written there */
export function writeInFlight(
  send: (bytes: Buffer, position: number) => Promise<void>,
): InFlightWriter {
  const waiting = new Set<Promise<void>>();
  let position = 0;
  let failure: { readonly error: unknown } | undefined;
  const check = () => {
    if (failure) throw failure.error;
  };
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; at += requestBytes) {
        const part = Buffer.from(
          bytes.buffer,
          bytes.byteOffset + at,
          Math.min(requestBytes, bytes.length - at),
        );
        while (waiting.size >= requestsInFlight) await Promise.race(waiting);
        check();
        const sent = send(part, position)
          .catch((error: unknown) => void (failure ??= { error }))
          .finally(() => waiting.delete(sent));
        waiting.add(sent);
        position += part.length;
      }
    },
    flush: async () => {
      await Promise.all(waiting);
      check();
    },
  };
}
