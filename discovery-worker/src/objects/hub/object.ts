/**
 * Holds the control sockets of its providers, hibernated. A thin shell: `presence.ts` says who is
 * there, `requests.ts` who waits for an answer, `registry.ts` keeps what outlives a socket, and
 * `upkeep.ts` tells the list.
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
import { settingsOf, type Env } from '../../env.ts';
import { DISCOVERY_LIMITS } from '../../limits.ts';
import { closeSocket } from '../close.ts';
import { errorResponse } from '../answers.ts';
import { outcomeOf, type Outcome } from '../outcome.ts';
import { readStamp, switchingProtocols } from '../upgrade.ts';
import type { Arrival, HubPort, RelayOpening } from './port.ts';
import { admits, dueAt, NEVER_SEEN, type Presence, type PresenceEvent } from './presence.ts';
import { Questions } from './questions.ts';
import { Registry } from './registry.ts';
import { Requests } from './requests.ts';
import { Shard } from './shard.ts';
import { Sockets, tell } from './sockets.ts';
import { substanceOf } from './substance.ts';
import { Upkeep } from './upkeep.ts';

const { sweepSpacingMillis } = DISCOVERY_LIMITS.hub;

export class Hub extends DurableObject<Env> implements HubPort {
  readonly #registry: Registry;
  readonly #sockets: Sockets;
  readonly #shard: Shard<HubPort>;
  readonly #upkeep: Upkeep;
  readonly #questions: Questions;
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
    const { id, storage } = ctx;
    const shards = settingsOf(env).HUB_SHARDS;
    this.#shard = new Shard({ id, storage: storage.kv, hubs: env.HUB, shards });
    const { DB: database } = env;
    const [registry, sockets, requests] = [this.#registry, this.#sockets, this.#requests];
    this.#upkeep = new Upkeep({ database, storage, registry, shard: this.#shard });
    const happened = this.#happened.bind(this);
    this.#questions = new Questions({ database, registry, sockets, requests, happened });
    // The sweep finds those that belong to another hub now. There is nothing to pay while idle: it
    // begins when something wakes the hub, at the latest the sweep that is due anyway.
    if (this.#shard.hasChanged()) ctx.waitUntil(this.#upkeep.sweepBy(Date.now()));
  }

  /** The upgrade of an agent, verified and stamped by the worker. */
  override async fetch(request: Request): Promise<Response> {
    const arrival = readStamp(request) as Arrival;
    const { provider, address, epoch, country, asn, requestId } = arrival;
    try {
      this.#questions.assertOpen();
      if (!admits(this.#registry.get(provider) ?? NEVER_SEEN, epoch)) {
        throw new GolemError('stale_epoch');
      }
    } catch (error) {
      return errorResponse(error, requestId);
    }
    const connection = crypto.randomUUID();
    const now = Date.now();
    const client = this.#sockets.accept({ provider, connection }, address, now);
    this.#happened(provider, { kind: 'connected', connection, epoch, country, asn, now });
    return switchingProtocols(client, {
      'sec-websocket-protocol': CONTROL_PROTOCOL,
      'golem-request-id': requestId,
    });
  }

  async request(provider: string, id: string, request: WireRequest): Promise<Outcome<WireAnswer>> {
    const { method, url, headers, body } = request;
    const message: HubMessage = { type: 'request', id, method, url, headers, body };
    return outcomeOf(() => this.#questions.ask(provider, message, LIMITS.control.answerSeconds));
  }

  async openRelay(
    provider: string,
    id: string,
    opening: RelayOpening,
  ): Promise<Outcome<WireAnswer>> {
    const message: HubMessage = { type: 'relay.open', id, ...opening };
    return outcomeOf(() => this.#questions.ask(provider, message, LIMITS.relay.pairSeconds));
  }

  async resumeRelay(provider: string, session: string): Promise<void> {
    const { connection } = this.#registry.get(provider) ?? NEVER_SEEN;
    tell(this.#sockets.find(provider, connection), { type: 'relay.resume', session });
  }

  async cancel(provider: string, id: string): Promise<void> {
    this.#questions.cancel(provider, id);
  }

  async relist(provider: string, epoch: number): Promise<void> {
    if (!this.#registry.get(provider)) return;
    const state = this.#apply(provider, { kind: 'elsewhere', epoch, now: Date.now() });
    await this.#upkeep.list(provider, state);
  }

  async shutDown(): Promise<void> {
    await this.#questions.stop();
    const now = Date.now();
    const followed = [...this.#registry.all()].map(([provider]) =>
      this.#upkeep.follow(provider, this.#apply(provider, { kind: 'dismissed', now })),
    );
    await Promise.all(followed);
    await this.ctx.storage.sync();
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
      const isOurs = this.#shard.isOurs(provider);
      const state = this.#apply(provider, { kind: 'swept', heardAt, isOurs, now });
      this.ctx.waitUntil(this.#upkeep.tidy(provider, state));
      const due = dueAt(state, heardAt);
      if (due !== null) next = Math.min(next ?? due, due);
    }
    if (next !== undefined) await this.#upkeep.sweepBy(Math.max(next, now + sweepSpacingMillis));
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
    const offer = await openOffer(signed, provider, 'the discovery service');
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

  #happened(provider: string, event: PresenceEvent): void {
    this.ctx.waitUntil(this.#upkeep.follow(provider, this.#apply(provider, event)));
  }

  #apply(provider: string, event: PresenceEvent): Presence {
    const { state, effects } = this.#registry.apply(provider, event);
    for (const effect of effects) {
      const socket = this.#sockets.find(provider, effect.connection);
      if (effect.kind === 'close') {
        this.#forget(effect.connection);
        if (socket) closeSocket(socket, effect.close.code, effect.reason);
      } else if (effect.kind === 'drain') {
        tell(socket, { type: 'drain', reason: 'this provider belongs to another hub now' });
      } else {
        const { country, asn } = state;
        const address = socket && this.#sockets.addressOf(socket);
        const time = new Date().toISOString();
        tell(socket, { type: 'welcome', country, asn, ...(address && { address }), time });
      }
    }
    return state;
  }

  #forget(connection: string): void {
    this.#requests.lose(connection);
    this.#sockets.forget(connection);
  }
}
