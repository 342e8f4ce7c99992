/** Puts questions to agents, and waits for their answers. */
import type { WireAnswer } from '@vm-on-golem/shared/answers';
import type { HubMessage } from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { isListed } from '../../db/providers.ts';
import { DISCOVERY_LIMITS } from '../../limits.ts';
import { isThere, NEVER_SEEN, type Presence, type PresenceEvent } from './presence.ts';
import type { Registry } from './registry.ts';
import type { Requests } from './requests.ts';
import { tell, type Sockets } from './sockets.ts';

const { answerMillis, retryAfterSeconds } = DISCOVERY_LIMITS.shutdown;

interface Options {
  readonly database: D1Database;
  readonly registry: Registry;
  readonly sockets: Sockets;
  readonly requests: Requests;
  readonly happened: (provider: string, event: PresenceEvent) => void;
}

export class Questions {
  readonly #options: Options;
  #isStopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** As `HubPort.request`. */
  async ask(
    provider: string,
    message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
    seconds: number,
  ): Promise<WireAnswer> {
    this.assertOpen();
    const { registry, sockets, requests, happened } = this.#options;
    const state = registry.get(provider);
    if (!state) throw await this.#strange(provider);
    const { connection } = state;
    if (connection === null || !isThere(state)) throw away(state);
    const socket = sockets.find(provider, connection);
    if (!socket) {
      happened(provider, { kind: 'closed', connection, clean: false, now: Date.now() });
      throw away(registry.get(provider) ?? state);
    }
    const text = JSON.stringify(message);
    if (text.length > LIMITS.control.messageBytes) throw new GolemError('payload_too_large');
    requests.admit(connection);
    const sentAt = Date.now();
    socket.send(text);
    try {
      return await requests.wait(connection, message.id, seconds);
    } catch (error) {
      const timedOut = error instanceof GolemError && error.code === 'provider_timeout';
      if (timedOut && sockets.heardAt(socket) < sentAt) {
        happened(provider, { kind: 'unanswered', connection, now: Date.now() });
      }
      throw error;
    }
  }

  /** Nobody waits for the answer any more. */
  cancel(provider: string, id: string): void {
    const { registry, sockets, requests } = this.#options;
    const { connection } = registry.get(provider) ?? NEVER_SEEN;
    if (connection === null || !requests.cancel(connection, id)) return;
    tell(sockets.find(provider, connection), { type: 'cancel', id });
  }

  /** Takes no more, and resolves when the last one is answered or the time for that is over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#options.requests.idle(answerMillis);
  }

  /** @throws {GolemError} when the service stops: nothing was passed on. */
  assertOpen(): void {
    if (!this.#isStopped) return;
    throw new GolemError('provider_offline', 'The discovery service is restarting.', {
      retryAfter: retryAfterSeconds,
    });
  }

  /** Who belongs here since the number of hubs changed, and has not come yet, is no stranger. */
  async #strange(provider: string): Promise<GolemError> {
    const isKnown = await isListed(this.#options.database, provider);
    return new GolemError(isKnown ? 'provider_offline' : 'provider_not_found');
  }
}

/** Who has only just lost its connection is worth waiting for: most are back at once. */
function away({ phase }: Presence): GolemError {
  if (phase !== 'grace') return new GolemError('provider_offline');
  const { backSeconds: retryAfter } = DISCOVERY_LIMITS.hub;
  return new GolemError('provider_offline', 'The provider has just lost its connection.', {
    retryAfter,
  });
}
