/**
 * Holds the control sockets of its providers, hibernated. A thin shell: `presence.ts` says who is
 * there, `requests.ts` who waits for an answer, `registry.ts` keeps what outlives a socket.
 */
import { DurableObject } from 'cloudflare:workers';
import { CLOSE } from '@vm-on-golem/shared/closes';
import {
  CONTROL_PROTOCOL,
  parseAgentMessage,
  TEXT_PING,
  TEXT_PONG,
  type AgentMessage,
  type HubMessage,
} from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { openOffer } from '@vm-on-golem/shared/offer';
import type { WireAnswer } from '@vm-on-golem/shared/answers';
import type { WireRequest } from '@vm-on-golem/shared/signing';
import type { Env } from '../../env.ts';
import { closeSocket } from '../close.ts';
import { errorResponse } from '../answers.ts';
import { outcomeOf, type Outcome } from '../outcome.ts';
import { readStamp, switchingProtocols } from '../upgrade.ts';
import type { Arrival, HubPort, RelayOpening } from './port.ts';
import { admits, dueAt, NEVER_SEEN, type Presence, type PresenceEvent } from './presence.ts';
import { Registry } from './registry.ts';
import { Requests } from './requests.ts';
import { Sockets } from './sockets.ts';
import { substanceOf } from './substance.ts';

/** A sweep looks at every provider of the hub, so those that are due soon wait for each other. */
const SWEEP_SPACING_MILLIS = 10_000;
/** How soon a failed write of the list is tried again. */
const RETRY_MILLIS = 5_000;

export class Hub extends DurableObject<Env> implements HubPort {
  readonly #registry: Registry;
  readonly #sockets: Sockets;
  readonly #requests = new Requests((milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  });
  /** Messages of one socket are handled one after the other, though checking them takes a while. */
  readonly #inbox = new WeakMap<WebSocket, Promise<void>>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#registry = new Registry(ctx.storage.kv);
    this.#sockets = new Sockets(ctx);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(TEXT_PING, TEXT_PONG));
  }

  /** The upgrade of an agent, verified and stamped by the worker. */
  override async fetch(request: Request): Promise<Response> {
    const { provider, epoch, country, asn, requestId } = readStamp(request) as Arrival;
    if (!admits(this.#registry.get(provider) ?? NEVER_SEEN, epoch)) {
      return errorResponse(new GolemError('stale_epoch'), requestId);
    }
    const connection = crypto.randomUUID();
    const now = Date.now();
    const client = this.#sockets.accept(provider, connection, now);
    this.#happened(provider, { kind: 'connected', connection, epoch, country, asn, now });
    return switchingProtocols(client, {
      'sec-websocket-protocol': CONTROL_PROTOCOL,
      'golem-request-id': requestId,
    });
  }

  async request(provider: string, id: string, request: WireRequest): Promise<Outcome<WireAnswer>> {
    const { method, url, headers, body } = request;
    const message: HubMessage = { type: 'request', id, method, url, headers, body };
    return outcomeOf(() => this.#ask(provider, message, LIMITS.control.answerSeconds));
  }

  async openRelay(
    provider: string,
    id: string,
    opening: RelayOpening,
  ): Promise<Outcome<WireAnswer>> {
    const message: HubMessage = { type: 'relay.open', id, ...opening };
    return outcomeOf(() => this.#ask(provider, message, LIMITS.relay.pairSeconds));
  }

  async resumeRelay(provider: string, session: string): Promise<void> {
    const { connection } = this.#registry.get(provider) ?? NEVER_SEEN;
    const message: HubMessage = { type: 'relay.resume', session };
    this.#sockets.find(provider, connection)?.send(JSON.stringify(message));
  }

  async cancel(provider: string, id: string): Promise<void> {
    const { connection } = this.#registry.get(provider) ?? NEVER_SEEN;
    if (connection === null || !this.#requests.cancel(connection, id)) return;
    const message: HubMessage = { type: 'cancel', id };
    this.#sockets.find(provider, connection)?.send(JSON.stringify(message));
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    this.#sockets.heard(this.#sockets.ownerOf(socket).connection, Date.now());
    const receive = () => this.#receive(socket, data);
    const handled = (this.#inbox.get(socket) ?? Promise.resolve()).then(receive, receive);
    this.#inbox.set(socket, handled);
    await handled;
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    const { provider, connection } = this.#sockets.ownerOf(socket);
    // A hibernated socket does not finish the handshake by itself.
    closeSocket(socket, code, reason);
    this.#left(provider, connection, code !== 1006);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    const { provider, connection } = this.#sockets.ownerOf(socket);
    this.#left(provider, connection, false);
  }

  /** Sweeps all providers. May run twice or late: every step looks at the clock alone. */
  override async alarm(): Promise<void> {
    const now = Date.now();
    let next: number | undefined;
    for (const [provider, { connection }] of this.#registry.all()) {
      const socket = this.#sockets.find(provider, connection);
      const heardAt = socket ? this.#sockets.heardAt(socket) : null;
      if (connection !== null && !socket) this.#forget(connection);
      const state = this.#happened(provider, { kind: 'swept', heardAt, now });
      const due = dueAt(state, heardAt);
      if (due !== null) next = Math.min(next ?? due, due);
    }
    if (next !== undefined) await this.#sweepBy(Math.max(next, now + SWEEP_SPACING_MILLIS));
  }

  async #ask(
    provider: string,
    message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
    seconds: number,
  ): Promise<WireAnswer> {
    const state = this.#registry.get(provider);
    if (!state) throw new GolemError('provider_not_found');
    const { connection } = state;
    if (connection === null || state.phase !== 'online') throw new GolemError('provider_offline');
    const socket = this.#sockets.find(provider, connection);
    if (!socket) {
      this.#left(provider, connection, false);
      throw new GolemError('provider_offline');
    }
    const text = JSON.stringify(message);
    if (text.length > LIMITS.control.messageBytes) throw new GolemError('payload_too_large');
    this.#requests.admit(connection);
    const sentAt = Date.now();
    socket.send(text);
    try {
      return await this.#requests.wait(connection, message.id, seconds);
    } catch (error) {
      const timedOut = error instanceof GolemError && error.code === 'provider_timeout';
      if (timedOut && this.#sockets.heardAt(socket) < sentAt) {
        this.#happened(provider, { kind: 'unanswered', connection, now: Date.now() });
      }
      throw error;
    }
  }

  async #receive(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const { provider, connection } = this.#sockets.ownerOf(socket);
    try {
      if (typeof data !== 'string') {
        throw new GolemError('invalid_request', 'The control socket carries text only.');
      }
      const message = parseAgentMessage(data);
      if (message?.type === 'offer') await this.#offered(provider, connection, message);
      if (message?.type === 'response') {
        const { id, status, headers, body } = message;
        this.#requests.answer(connection, id, { status, headers, body });
      }
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      closeSocket(socket, CLOSE.protocol.code, error.message);
      this.#left(provider, connection, true);
    }
  }

  async #offered(
    provider: string,
    connection: string,
    { offer: signed }: Extract<AgentMessage, { type: 'offer' }>,
  ): Promise<void> {
    const offer = await openOffer(signed, provider);
    this.#happened(provider, {
      kind: 'offered',
      connection,
      offer: signed,
      sequence: offer.sequence,
      substance: substanceOf(offer),
      now: Date.now(),
    });
  }

  #left(provider: string, connection: string, clean: boolean): void {
    this.#forget(connection);
    this.#happened(provider, { kind: 'closed', connection, clean, now: Date.now() });
  }

  #happened(provider: string, event: PresenceEvent): Presence {
    const { state, effects } = this.#registry.apply(provider, event);
    for (const effect of effects) {
      const socket = this.#sockets.find(provider, effect.connection);
      if (effect.kind === 'welcome') {
        const { country, asn } = state;
        const time = new Date().toISOString();
        const message: HubMessage = { type: 'welcome', country, asn, time };
        socket?.send(JSON.stringify(message));
      } else {
        this.#forget(effect.connection);
        if (socket) closeSocket(socket, effect.close.code, effect.reason);
      }
    }
    this.ctx.waitUntil(this.#follow(state));
    return state;
  }

  /** Brings the list and the alarm in line with a new state. */
  async #follow(state: Presence): Promise<void> {
    const due = dueAt(state, null);
    if (due !== null) await this.#sweepBy(due);
    if (state.revision === state.written) return;
    try {
      await this.#registry.flush(this.env.DB);
    } catch (error) {
      console.error('the list of providers could not be written', error);
      await this.#sweepBy(Date.now() + RETRY_MILLIS);
    }
  }

  async #sweepBy(time: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > time) await this.ctx.storage.setAlarm(time);
  }

  #forget(connection: string): void {
    this.#requests.lose(connection);
    this.#sockets.forget(connection);
  }
}
