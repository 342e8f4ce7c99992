/** The one shape of an error on the wire, as a schema, and what is read from it. */
import * as z from 'zod';
import { ERRORS, GolemError, MAX_TEXT_CHARS, type ErrorCode } from './errors.ts';

const MAX_REQUEST_ID_CHARS = 64;

export const errorSchema = z.object({
  /** An `ErrorCode`, or one that only a newer version knows. */
  code: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'not the code of an error'),
  message: z.string().max(MAX_TEXT_CHARS),
  hint: z.string().max(MAX_TEXT_CHARS).optional(),
  retryable: z.boolean(),
  requestId: z.string().max(MAX_REQUEST_ID_CHARS).optional(),
  retryAfter: z.number().int().nonnegative().optional(),
});

export const errorBodySchema = z.object({ error: errorSchema });

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/**
 * @param status HTTP status that the body came with: it says what a code means that this version
 * does not know. Without one such a code is `internal`.
 * @returns undefined when `body` is not an error of the one shape.
 */
export function readErrorBody(body: unknown, status = 500): GolemError | undefined {
  const parsed = errorBodySchema.safeParse(body);
  return parsed.success ? errorOfWire(parsed.data.error, status) : undefined;
}

/** The error that `error` is to this version; its words are kept whatever its code. */
export function errorOfWire(error: z.infer<typeof errorSchema>, status = 500): GolemError {
  const { code, message, hint, requestId, retryAfter } = error;
  const known = isErrorCode(code);
  const said =
    hint ?? (known ? undefined : `A newer version calls this ${code}: look for an update.`);
  return new GolemError(known ? code : codeOfStatus(status, error.retryable), message, {
    ...(said === undefined ? {} : { hint: said }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

/**
 * The most careful code of a status: none that lets a VM be taken for gone, or a request for one
 * that never arrived, unless the status itself says so.
 */
function codeOfStatus(status: number, retryable: boolean): ErrorCode {
  if (status === 503) return retryable ? 'link_lost' : 'draining';
  return CODE_OF_STATUS[status] ?? 'internal';
}

const CODE_OF_STATUS: Partial<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'bad_signature',
  403: 'forbidden',
  404: 'not_found',
  409: 'wrong_state',
  410: 'not_found',
  413: 'payload_too_large',
  422: 'invalid_request',
  429: 'rate_limited',
  501: 'unsupported',
  504: 'provider_timeout',
};
