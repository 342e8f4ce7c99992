/** Which bytes a file must hold, and the publishers' lists of that. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as z from 'zod';

const HEX_CHARS = { sha256: 64, sha512: 128 } as const;

export const digestSchema = z
  .object({ algorithm: z.enum(['sha256', 'sha512']), hex: z.string().regex(/^[0-9a-f]+$/) })
  .refine(({ algorithm, hex }) => hex.length === HEX_CHARS[algorithm], 'not a whole hash');
export type Digest = z.infer<typeof digestSchema>;

/**
 * Finds a file in the output of sha256sum or sha512sum.
 * @returns undefined when the list does not name it, or names it twice with different hashes
 */
export function findDigest(
  list: string,
  file: string,
  algorithm: Digest['algorithm'],
): Digest | undefined {
  const found = new Set<string>();
  for (const line of list.split('\n')) {
    const [, hex, name] = /^([0-9a-f]+) [ *](.+?)\r?$/i.exec(line) ?? [];
    if (name === file && hex?.length === HEX_CHARS[algorithm]) found.add(hex.toLowerCase());
  }
  const [hex, ...others] = found;
  return hex === undefined || others.length > 0 ? undefined : { algorithm, hex };
}

/** Hashes a file once for each change of its time or size. */
export class VerifiedFiles {
  readonly #verified = new Map<string, string>();

  /** @returns `missing` when there is no such file, `wrong` when it holds other bytes */
  async check(
    path: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<'good' | 'wrong' | 'missing'> {
    const seen = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!seen) return 'missing';
    const state = `${digest.hex} ${seen.ino} ${seen.mtimeNs} ${seen.size}`;
    if (this.#verified.get(path) === state) return 'good';
    const hash = createHash(digest.algorithm);
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
    if (hash.digest('hex') !== digest.hex) return 'wrong';
    this.#verified.set(path, state);
    return 'good';
  }
}
