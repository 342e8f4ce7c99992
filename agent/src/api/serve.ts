/** Turns a request of the tunnel into a signed answer. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Identity } from '@vm-on-golem/shared/keys';
import { signAnswer, type WireAnswer } from '@vm-on-golem/shared/answers';
import { type WireRequest } from '@vm-on-golem/shared/signing';
import type { Hono } from 'hono';
import type { ApiEnv } from './environment.ts';
import { currentRequest } from '../log/context.ts';
import { errorResponse, fits } from './app.ts';

export interface ServeOptions {
  readonly app: Hono<ApiEnv>;
  readonly identity: Identity;
  readonly now: () => number;
}

/** What the routes know; anything else is no request of ours. */
const METHODS = new Set(['GET', 'POST', 'DELETE']);

/** Never rejects: whatever goes wrong is an answer too. */
export type Serve = (request: WireRequest, signal: AbortSignal) => Promise<WireAnswer>;

export function createServe({ app, identity, now }: ServeOptions): Serve {
  return async (wire, signal) => {
    const response = await route(app, wire, signal);
    const body = await response.text();
    const answer = fits(body)
      ? { status: response.status, body }
      : answerOf(new GolemError('internal', 'The answer is too large.'));
    return signedAnswer(answer, wire, identity, now);
  };
}

export function answerOf(error: GolemError): { readonly status: number; readonly body: string } {
  return { status: error.status, body: JSON.stringify(error.toBody(currentRequest())) };
}

/**
 * Signs every answer, refusals included. A request whose signature cannot even be quoted gets its
 * refusal unsigned: there is nothing that an answer could be bound to.
 */
export async function signedAnswer(
  answer: { readonly status: number; readonly body: string },
  request: WireRequest,
  identity: Identity,
  now: () => number,
): Promise<WireAnswer> {
  if (!isQuotable(request.headers['signature'])) return { ...answer, headers: {} };
  return signAnswer(answer, request, identity, { now });
}

function isQuotable(signature: string | undefined): boolean {
  return signature !== undefined && /^[\x21-\x7e]+$/.test(signature);
}

async function route(app: Hono<ApiEnv>, wire: WireRequest, signal: AbortSignal): Promise<Response> {
  if (!METHODS.has(wire.method)) return errorResponse(new GolemError('not_found'));
  let request: Request;
  try {
    request = new Request(wire.url, { method: wire.method });
  } catch {
    return errorResponse(new GolemError('invalid_request', 'The URL is not valid.'));
  }
  return app.fetch(request, { wire, signal });
}
