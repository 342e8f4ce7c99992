/** Bytes through a session to a guest that sends them back, byte for byte. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ByteSession } from './network.ts';

const CHUNK_BYTES = 256 * 1024;

/** @returns whether what came back is what was sent. @throws when the session breaks meanwhile */
export async function echo({ input, output, over }: ByteSession, bytes: number): Promise<boolean> {
  const [sent, back] = [createHash('sha256'), createHash('sha256')];
  const send = async () => {
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const chunk = randomBytes(Math.min(CHUNK_BYTES, bytes - at));
      sent.update(chunk);
      if (!input.write(chunk)) await once(input, 'drain');
    }
  };
  const receive = async () => {
    for (let rest = bytes; rest > 0;) {
      const chunk = output.read() as Buffer | null;
      if (!chunk) {
        await once(output, 'readable');
        continue;
      }
      rest -= chunk.length;
      back.update(chunk);
    }
  };
  const broke = over.then(() => {
    throw new Error('the session ended before everything was back');
  });
  await Promise.race([Promise.all([send(), receive()]), broke]);
  return sent.digest('hex') === back.digest('hex');
}
