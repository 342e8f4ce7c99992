/** Signed requests to providers through discovery, and answers that are believed only if signed. */
import { ERRORS, GolemError, type ErrorCode } from '@vm-on-golem/shared/errors';
import { newRequestId, type RandomBytes } from '@vm-on-golem/shared/ids';
import type { Identity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { answerHeadersOf, signRequest, verifyAnswer } from '@vm-on-golem/shared/signing';
import type { z } from 'zod';

/** An error that the provider itself signed: it got the request, and this is its last word. */
export class SignedRefusal extends GolemError {
  override readonly name = 'SignedRefusal';
}

export interface TransportOptions {
  /** URL of the discovery service. */
  readonly discovery: string;
  readonly identity: () => Promise<Identity>;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  readonly random: RandomBytes;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Told before a wait that somebody may wonder about. */
  readonly onWait?: (reason: string, seconds: number) => void;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** Needed for everything but GET. */
  readonly idempotencyKey?: string;
  readonly signal: AbortSignal;
  /** Seconds that the answer may take. */
  readonly seconds?: number;
}

/** Longer than any answer is held open for. */
const ANSWER_SECONDS = LIMITS.control.answerSeconds + 10;
/** How often a request that may be sent again as it is, is. */
const TRIES = 4;
const LONGEST_WAIT_SECONDS = 60;

export class Transport {
  readonly #options: TransportOptions;
  readonly #base: URL;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = baseUrl(options.discovery);
  }

  /** Asks discovery itself, unsigned. */
  async ask<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    return this.patiently(signal, async () => {
      const { status, text } = await this.#fetch({
        method: 'GET',
        url: this.#url(path),
        signal,
        seconds: 15,
      });
      if (status >= 400) throw errorOf(text, status);
      return parseAs(schema, text, 'discovery');
    });
  }

  /**
   * Sends a signed request to `provider`.
   * @throws {SignedRefusal} what the provider answered
   * @throws {GolemError} what discovery answered instead, or `untrusted_answer`
   */
  async call<Schema extends z.ZodType>(
    provider: string,
    schema: Schema,
    { method, path, body = '', idempotencyKey, signal, seconds = ANSWER_SECONDS }: Call,
  ): Promise<z.output<Schema>> {
    return this.patiently(signal, async () => {
      // Signed anew for every try: a signature is good for one.
      const request = await signRequest(
        {
          method,
          url: this.#url(path),
          body,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        },
        await this.#options.identity(),
        this.#options,
      );
      const { status, text, headers } = await this.#fetch({ ...request, signal, seconds });
      const signed = answerHeadersOf(headers);
      if (signed['signature'] === undefined && status >= 400) throw errorOf(text, status);
      await verifyAnswer({ status, headers: signed, body: text }, request, provider);
      if (status >= 400) throw refusalOf(errorOf(text, status));
      return parseAs(schema, text, 'the provider');
    });
  }

  /** The signed upgrade of a WebSocket, to be dialled at `url`. */
  async upgrade(path: string): Promise<{ url: string; headers: Readonly<Record<string, string>> }> {
    const epoch = this.#options.now();
    const request = { method: 'GET', url: this.#url(path), epoch };
    const { headers } = await signRequest(request, await this.#options.identity(), this.#options);
    return { url: request.url.replace(/^http/, 'ws'), headers };
  }

  #url(path: string): string {
    return new URL(path, this.#base).href;
  }

  /** Sends again what was certainly not carried out, and waits when it is told to. */
  async patiently<Result>(signal: AbortSignal, send: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof GolemError) || tries >= TRIES) throw error;
        const seconds = waitFor(error);
        if (seconds === undefined || seconds > LONGEST_WAIT_SECONDS) throw error;
        if (seconds > 1) this.#options.onWait?.(error.message, seconds);
        await this.#options.sleep(seconds * 1000, signal);
      }
    }
  }

  async #fetch(request: {
    readonly method: string;
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly signal: AbortSignal;
    readonly seconds: number;
  }): Promise<{ status: number; text: string; headers: Headers }> {
    const { method, url, headers = {}, body = '', signal, seconds } = request;
    const deadline = AbortSignal.timeout(seconds * 1000);
    try {
      const response = await this.#options.fetch(url, {
        method,
        headers: { ...headers, accept: 'application/json' },
        ...(body === '' ? {} : { body }),
        redirect: 'error',
        signal: AbortSignal.any([signal, deadline]),
      });
      return {
        status: response.status,
        text: await boundedText(response),
        headers: response.headers,
      };
    } catch (cause) {
      if (cause instanceof GolemError || signal.aborted)
        throw signal.aborted ? signal.reason : cause;
      if (deadline.aborted) throw new GolemError('provider_timeout', undefined, { cause });
      throw unreachable(this.#base, cause);
    }
  }
}

/** Whether the request certainly never reached a provider, so that another one may be asked. */
export function neverArrived(error: GolemError): boolean {
  if (error instanceof SignedRefusal) return false;
  return (
    ['provider_offline', 'provider_busy', 'provider_not_found', 'rate_limited'].includes(
      error.code,
    ) ||
    (error.code === 'discovery_unreachable' && refusedToConnect(error.cause))
  );
}

/** @returns seconds after which the same request is worth sending again, if at all */
function waitFor(error: GolemError): number | undefined {
  if (error.code === 'rate_limited') return error.retryAfter ?? 1;
  if (error.code === 'stale_request') return 1;
  return undefined;
}

function refusalOf(error: GolemError): SignedRefusal {
  const { hint, requestId, retryAfter } = error;
  return new SignedRefusal(error.code, error.message, {
    ...(hint === undefined ? {} : { hint }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function errorOf(text: string, status: number): GolemError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not ours: a proxy's page, most likely. The status is all there is to say.
    body = undefined;
  }
  const code: ErrorCode = status >= 500 ? 'discovery_unreachable' : 'internal';
  return (
    GolemError.fromBody(body) ??
    new GolemError(code, `${ERRORS[code].message} It answered with status ${status}.`)
  );
}

function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  who: string,
): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GolemError('internal', `What ${who} answered is not JSON.`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new GolemError('internal', `What ${who} answered is not understood.`, {
    hint: 'It may be newer than this golem: look for an update.',
    cause: parsed.error,
  });
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > LIMITS.control.messageBytes * 4) {
      throw new GolemError('internal', 'The answer is far too large.');
    }
    chunks.push(chunk);
  }
  return new Blob(chunks).text();
}

function baseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol)) return url;
  throw new GolemError('usage', `'${text}' is not the URL of a discovery service.`, {
    hint: 'Set GOLEM_DISCOVERY to something like https://discovery.example.',
  });
}

function unreachable(base: URL, cause: unknown): GolemError {
  return new GolemError(
    'discovery_unreachable',
    `The discovery service ${base.origin} cannot be reached.`,
    {
      hint: 'Check your network, and GOLEM_DISCOVERY.',
      cause,
    },
  );
}

function refusedToConnect(cause: unknown): boolean {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const code = inner instanceof Error && 'code' in inner ? inner.code : undefined;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN';
}

export { newRequestId as newIdempotencyKey };
