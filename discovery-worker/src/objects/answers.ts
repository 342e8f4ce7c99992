/** HTTP answers: errors of our own in the one shape, and those that agents have signed. */
import { PROTOCOL, PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import { GolemError } from '@vm-on-golem/shared/errors';
import { answerHeadersOf, type WireAnswer } from '@vm-on-golem/shared/answers';

export const REQUEST_ID_HEADER = 'golem-request-id';

/** What every answer carries. */
export const ownHeaders = (requestId: string) => ({
  [REQUEST_ID_HEADER]: requestId,
  [PROTOCOL_HEADER]: String(PROTOCOL.version),
});

export function errorResponse(error: unknown, requestId: string): Response {
  const known = error instanceof GolemError ? error : new GolemError('internal');
  if (known.status === 500) console.error(requestId, error);
  const headers = new Headers(ownHeaders(requestId));
  if (known.retryAfter !== undefined) headers.set('retry-after', String(known.retryAfter));
  return Response.json(known.toBody(requestId), { status: known.status, headers });
}

/** Statuses that HTTP gives no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** What no header may be is no signature either, and no answer that anybody could read. */
const isHeader = ([name, value]: readonly [string, string]): boolean =>
  /^[\w-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value);

/** The agent's answer, byte for byte, with its signature and no other header of its own. */
export function agentResponse({ status, headers, body }: WireAnswer, requestId: string): Response {
  return new Response(BODILESS.has(status) ? null : body, {
    status,
    headers: {
      ...answerHeadersOf(new Headers(Object.entries(headers).filter(isHeader))),
      'content-type': 'application/json',
      ...ownHeaders(requestId),
    },
  });
}
