/** Bounds on what is read of a request, before anybody knows who sent it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { createMiddleware } from 'hono/factory';

export const bounded = createMiddleware(async (c, next) => {
  if (c.req.url.length > LIMITS.request.urlBytes) {
    throw new GolemError(
      'payload_too_large',
      `A URL may have ${LIMITS.request.urlBytes} bytes at most.`,
    );
  }
  await next();
});

/** Reads the whole body as UTF-8 text, and stops as soon as it is too large. */
export async function readBody(request: Request): Promise<string> {
  if (!request.body) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > LIMITS.request.bodyBytes) {
      throw new GolemError(
        'payload_too_large',
        `A body may have ${LIMITS.request.bodyBytes} bytes at most.`,
      );
    }
    chunks.push(chunk);
  }
  return decode(chunks);
}

/** Byte for byte: nothing is replaced or left out, or the digest would not match. */
function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return (
      chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('') + decoder.decode()
    );
  } catch (cause) {
    throw new GolemError('invalid_request', 'The body is not UTF-8 text.', { cause });
  }
}
