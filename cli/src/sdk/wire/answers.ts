/** Answers of discovery and providers as data, or as the error that they are. */
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { ERRORS, GolemError, type ErrorCode } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { z } from 'zod';

/** A page of providers is the largest: 100 signed offers, each with its row. */
const MAX_ANSWER_BYTES = LIMITS.list.pageMax * (LIMITS.offer.bytes * 2 + 1024);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** @throws {GolemError} `internal` for an answer that is larger than any of ours */
export async function readAnswer(response: Response): Promise<Answer> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  // Not every browser can iterate over a body.
  const reader = response.body?.getReader();
  for (;;) {
    const { done = true, value } = (await reader?.read()) ?? {};
    if (done || !value) break;
    length += value.length;
    if (length > MAX_ANSWER_BYTES) {
      await reader?.cancel();
      throw new GolemError('internal', 'The answer is far too large.');
    }
    chunks.push(value);
  }
  const { status, headers } = response;
  return { status, headers, text: await new Blob(chunks).text() };
}

/** The error that an answer with a status of 400 or more is, whoever gave it. */
export function errorOf({ status, headers, text }: Answer): GolemError {
  const error = readErrorBody(jsonOf(text), status) ?? foreignError(status);
  const retryAfter = error.retryAfter ?? secondsOf(headers.get('retry-after'));
  if (retryAfter === undefined) return error;
  const { code, message, hint, requestId } = error;
  return new GolemError(code, message, {
    retryAfter,
    ...(hint === undefined ? {} : { hint }),
    ...(requestId === undefined ? {} : { requestId }),
  });
}

export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  { text }: Answer,
  who: string,
): z.output<Schema> {
  const json = jsonOf(text);
  if (json === undefined) throw new GolemError('internal', `What ${who} answered is not JSON.`);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new GolemError('internal', `What ${who} answered is not understood.`, {
    hint: 'It may be newer than this golem: look for an update.',
    cause: parsed.error,
  });
}

/** Not an error of ours: a proxy's page, most likely. The status is all there is to say. */
function foreignError(status: number): GolemError {
  const code: ErrorCode =
    status === 429 ? 'rate_limited' : status >= 500 ? 'discovery_unreachable' : 'internal';
  return new GolemError(code, `${ERRORS[code].message} It answered with status ${status}.`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // There is no JSON text for `undefined`, so it says that there is none here.
    return undefined;
  }
}

/** Dates, which the header may hold as well, are nothing that our services send. */
function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
