/** Requests of one hub that are being answered: bounded, and cancelled with their socket. */
import type { AgentMessage, HubMessage } from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { WireAnswer } from '@vm-on-golem/shared/answers';
import type { WireRequest } from '@vm-on-golem/shared/signing';
import { onBehalfOf, requestName } from '../log/context.ts';

/** What the link carries messages for. Neither rejects: a failure is an answer too. */
export interface LinkHandlers {
  readonly request: (request: WireRequest, signal: AbortSignal) => Promise<WireAnswer>;
  readonly relayOpen: (
    message: Extract<HubMessage, { type: 'relay.open' }>,
    signal: AbortSignal,
  ) => Promise<WireAnswer>;
  /** The other party of a session waits for our leg. */
  readonly relayResume: (session: string) => void;
  /** Signs a refusal of a request that was not looked at. */
  readonly refuse: (request: WireRequest, error: GolemError) => Promise<WireAnswer>;
}

export class Requests {
  readonly #handlers: LinkHandlers;
  /** Resolves when the answer has left for the socket. */
  readonly #send: (message: AgentMessage) => Promise<void>;
  readonly #inFlight = new Map<string, AbortController>();
  readonly #idle = new Set<() => void>();

  constructor(handlers: LinkHandlers, send: (message: AgentMessage) => Promise<void>) {
    this.#handlers = handlers;
    this.#send = send;
  }

  /**
   * Answers on the socket that asked. Counts until the answer has left. All that is done for it is
   * logged under its id.
   */
  take(message: Extract<HubMessage, { type: 'request' | 'relay.open' }>): Promise<void> {
    return onBehalfOf(requestName(message.id), () => this.#take(message));
  }

  /** Resolves when everything that has come is answered. */
  async idle(): Promise<void> {
    if (this.#inFlight.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.add(resolve);
    await promise;
    this.#idle.delete(resolve);
  }

  cancel(id: string): void {
    this.#inFlight.get(id)?.abort();
  }

  cancelAll(): void {
    for (const abort of this.#inFlight.values()) abort.abort();
  }

  async #take(message: Extract<HubMessage, { type: 'request' | 'relay.open' }>): Promise<void> {
    const { id } = message;
    if (this.#inFlight.has(id)) return;
    // The hub keeps to the same number. One that does not is not worth a queue.
    if (this.#inFlight.size >= 2 * LIMITS.control.inFlight) return;
    const abort = new AbortController();
    const busy = this.#inFlight.size >= LIMITS.control.inFlight;
    this.#inFlight.set(id, abort);
    try {
      const answer = busy ? await this.#refuse(message) : await this.#answer(message, abort.signal);
      await this.#send({ type: 'response', id, ...answer });
    } finally {
      this.#inFlight.delete(id);
      if (this.#inFlight.size === 0) for (const resolve of this.#idle) resolve();
    }
  }

  #answer(
    message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
    signal: AbortSignal,
  ): Promise<WireAnswer> {
    return message.type === 'request'
      ? this.#handlers.request(requestOf(message), signal)
      : this.#handlers.relayOpen(message, signal);
  }

  #refuse(message: Extract<HubMessage, { type: 'request' | 'relay.open' }>): Promise<WireAnswer> {
    const error = new GolemError('provider_busy', undefined, { retryAfter: 1 });
    return this.#handlers.refuse(requestOf(message), error);
  }
}

/** The requestor's own request, as it was signed. */
export function requestOf(
  message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
): WireRequest {
  const { url, headers } = message;
  return message.type === 'request'
    ? { method: message.method, url, headers, body: message.body }
    : { method: 'GET', url, headers, body: '' };
}
