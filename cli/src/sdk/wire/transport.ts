/** Signed requests to providers through discovery, and answers that are believed only if signed. */
import { backoffMillis } from '@vm-on-golem/shared/backoff';
import { checkProtocol, PROTOCOL, PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newRequestId, type RandomBytes } from '@vm-on-golem/shared/ids';
import type { Identity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { answerHeadersOf, verifyAnswer } from '@vm-on-golem/shared/answers';
import { signRequest } from '@vm-on-golem/shared/signing';
import type { z } from 'zod';
import type { CallOptions } from '../ports.ts';
import { errorOf, parseAs, readAnswer, type Answer } from './answers.ts';
import { within } from './deadline.ts';
import { isDecided, isUnknown, notCarriedOut, SignedRefusal } from './outcome.ts';

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
  /** Told of every answer. */
  readonly onAnswer?: (exchange: Exchange) => void;
}

/** A request and its answer, as one line of somebody's search for what went wrong. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** What discovery called the request, in its own logs and the provider's. */
  readonly requestId: string | undefined;
  readonly millis: number;
}

export interface Call extends CallOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** Needed for everything but GET. */
  readonly idempotencyKey?: string;
}

/** What one answer may take: longer than any is held open for. */
const ANSWER_SECONDS = LIMITS.control.answerSeconds + 10;
const LIST_SECONDS = 15;
/** How often a request that may be sent again as it is, is. */
const TRIES = 4;
const LONGEST_WAIT_SECONDS = 60;
const ASK_AGAIN = { firstMillis: 2_000, capMillis: 8_000 } as const;
const READ_AGAIN = { firstMillis: 500, capMillis: 5_000 } as const;

export class Transport {
  readonly #options: TransportOptions;
  readonly #base: URL;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = baseUrl(options.discovery);
  }

  /** Asks discovery itself, unsigned. */
  ask<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    options: CallOptions,
  ): Promise<z.output<Schema>> {
    const request = { method: 'GET', url: this.#url(path), seconds: LIST_SECONDS } as const;
    return this.patiently(options, async (signal) => {
      const answer = await this.#fetch({ ...request, signal });
      if (answer.status >= 400) throw errorOf(answer);
      return parseAs(schema, answer, 'discovery');
    });
  }

  /** Asks discovery itself about what is the signer's own. */
  askSigned<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    options: CallOptions,
  ): Promise<z.output<Schema>> {
    return this.patiently(options, async (signal) => {
      const unsigned = { method: 'GET', url: this.#url(path), body: '' };
      const request = await signRequest(unsigned, await this.#options.identity(), this.#options);
      const answer = await this.#fetch({ ...request, signal, seconds: LIST_SECONDS });
      if (answer.status >= 400) throw errorOf(answer);
      return parseAs(schema, answer, 'discovery');
    });
  }

  /**
   * Sends a signed request to `provider`.
   * @throws {SignedRefusal} what the provider answered
   * @throws {GolemError} what discovery answered instead, or `untrusted_answer`
   */
  call<Schema extends z.ZodType>(
    provider: string,
    schema: Schema,
    { method, path, body = '', idempotencyKey, ...options }: Call,
  ): Promise<z.output<Schema>> {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey };
    return this.patiently(options, async (signal) => {
      // Signed anew for every try: a signature is good for one.
      const request = await signRequest(
        { method, url: this.#url(path), body, ...key },
        await this.#options.identity(),
        this.#options,
      );
      const answer = await this.#fetch({ ...request, signal, seconds: ANSWER_SECONDS });
      const { status, text } = answer;
      const headers = answerHeadersOf(answer.headers);
      if (headers['signature'] === undefined && status >= 400) throw errorOf(answer);
      await verifyAnswer({ status, headers, body: text }, request, provider);
      // Headers outside the signature are anybody's word.
      if (status >= 400) throw SignedRefusal.of(errorOf({ ...answer, headers: new Headers() }));
      return parseAs(schema, answer, 'the provider');
    });
  }

  /** The signed upgrade of a WebSocket, to be dialled at `url`. */
  async upgrade(path: string): Promise<{ url: string; headers: Readonly<Record<string, string>> }> {
    const epoch = this.#options.now();
    const request = { method: 'GET', url: this.#url(path), epoch };
    const { headers } = await signRequest(request, await this.#options.identity(), this.#options);
    return { url: request.url.replace(/^http/, 'ws'), headers };
  }

  /** Sends again what was certainly not carried out, and waits when it is told to. */
  patiently<Result>(
    options: CallOptions,
    send: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return within(options, async (signal) => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await send(signal);
        } catch (error) {
          if (!(error instanceof GolemError) || tries >= TRIES) throw error;
          const seconds = waitFor(error);
          if (seconds === undefined || seconds > LONGEST_WAIT_SECONDS) throw error;
          await this.#wait(error, seconds * 1000, signal);
        }
      }
    });
  }

  /**
   * Sends a command, under the one idempotency key that it has, until it is known what became of it.
   * @throws {GolemError} for which `notCarriedOut` holds only if it does for all tries together
   */
  untilKnown<Result>(
    options: CallOptions,
    send: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return within(options, async (signal) => {
      let mayHaveArrived = false;
      for (let tries = 1; ; tries += 1) {
        try {
          return await send(signal);
        } catch (error) {
          if (!(error instanceof GolemError) || isDecided(error)) throw error;
          mayHaveArrived ||= isUnknown(error);
          if (!mayHaveArrived) throw error;
          if (tries >= TRIES || !error.retryable) {
            const isOfThisTry = error instanceof SignedRefusal || notCarriedOut(error);
            throw isOfThisTry ? outcomeUnknown(error) : error;
          }
          await this.#wait(error, backoffMillis(tries, Math.random, ASK_AGAIN), signal);
        }
      }
    });
  }

  /**
   * Reads, which changes nothing, for as long as it fails with what may pass.
   * @throws the reason of `signal` when its owner has had enough
   */
  async persistently<Result>(signal: AbortSignal, read: () => Promise<Result>): Promise<Result> {
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof GolemError) || error instanceof SignedRefusal || !error.retryable)
          throw error;
        await this.pause(backoffMillis(failures, Math.random, READ_AGAIN), signal);
      }
    }
  }

  pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return this.#options.sleep(milliseconds, signal);
  }

  #url(path: string): string {
    return new URL(path, this.#base).href;
  }

  async #wait(error: GolemError, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (milliseconds > 1000) this.#options.onWait?.(error.message, Math.ceil(milliseconds / 1000));
    await this.#options.sleep(milliseconds, signal);
  }

  async #fetch(request: {
    readonly method: string;
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly signal: AbortSignal;
    readonly seconds: number;
  }): Promise<Answer> {
    const { method, url, headers = {}, body = '', signal, seconds } = request;
    const deadline = AbortSignal.timeout(seconds * 1000);
    const started = this.#options.now();
    try {
      const response = await this.#options.fetch(url, {
        method,
        headers: {
          ...headers,
          accept: 'application/json',
          [PROTOCOL_HEADER]: String(PROTOCOL.version),
        },
        ...(body === '' ? {} : { body }),
        // Workers know no `error`; a browser shows a redirect as one of status 0.
        redirect: 'manual',
        signal: AbortSignal.any([signal, deadline]),
      });
      if (response.status < 200 || (response.status >= 300 && response.status < 400)) {
        throw leadsElsewhere(this.#base);
      }
      const answer = await readAnswer(response);
      checkProtocol(response.headers.get(PROTOCOL_HEADER), {
        ...{ them: 'the discovery service', us: 'golem' },
      });
      this.#options.onAnswer?.({
        ...{ method, path: new URL(url).pathname, status: answer.status },
        requestId: /^req_[a-z2-7]+$/.exec(answer.headers.get('golem-request-id') ?? '')?.[0],
        millis: this.#options.now() - started,
      });
      return answer;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof GolemError) throw cause;
      if (deadline.aborted) throw new GolemError('provider_timeout', undefined, { cause });
      throw unreachable(this.#base, cause);
    }
  }
}

/** @returns seconds after which the same request is worth sending again, if at all */
function waitFor(error: GolemError): number | undefined {
  if (error.code === 'rate_limited') return error.retryAfter ?? 1;
  if (error.code === 'stale_request') return 1;
  // Who only just went, or is being restarted, comes back; of others discovery names no time.
  if (error.code === 'provider_offline') return error.retryAfter;
  return undefined;
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
    { hint: 'Check your network, and GOLEM_DISCOVERY.', cause },
  );
}

function leadsElsewhere(base: URL): GolemError {
  return new GolemError(
    'discovery_unreachable',
    `The discovery service ${base.origin} sends whoever asks elsewhere.`,
    { hint: 'Signatures hold for one place: set GOLEM_DISCOVERY to where it is now.' },
  );
}

function outcomeUnknown(cause: GolemError): GolemError {
  return new GolemError(
    'provider_timeout',
    `Nobody knows yet whether the provider carried it out: ${cause.message}`,
    { ...(cause.hint === undefined ? {} : { hint: cause.hint }), cause },
  );
}

export { newRequestId as newIdempotencyKey };
