/** The one shape of an error on the wire, as a schema, and what is read from it. */
import * as z from 'zod';
import { ERRORS, GolemError, MAX_TEXT_CHARS, type ErrorBody, type ErrorCode } from './errors.ts';

const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

const MAX_REQUEST_ID_CHARS = 64;

export const errorBodySchema = z.object({
  error: z.object({
    code: z.enum(codes),
    message: z.string().max(MAX_TEXT_CHARS),
    hint: z.string().max(MAX_TEXT_CHARS).optional(),
    retryable: z.boolean(),
    requestId: z.string().max(MAX_REQUEST_ID_CHARS).optional(),
    retryAfter: z.number().int().nonnegative().optional(),
  }),
}) satisfies z.ZodType<ErrorBody>;

/** @returns undefined when `body` is not an error of the one shape. */
export function readErrorBody(body: unknown): GolemError | undefined {
  const parsed = errorBodySchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { code, message, hint, requestId, retryAfter } = parsed.data.error;
  return new GolemError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
