/**
 * One SSH session: brings requestor and agent together and passes frames between them. A thin
 * shell: `pairing.ts` says who may come, `gate.ts` what may pass, a `Passage` moves it.
 */
import { DurableObject } from 'cloudflare:workers';
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import { settingsOf, type Env } from '../../env.ts';
import { agentResponse, errorResponse } from '../answers.ts';
import { hubOf } from '../hub/port.ts';
import { valueOf } from '../outcome.ts';
import { readStamp, switchingProtocols } from '../upgrade.ts';
import { HibernatingPassage } from './hibernating.ts';
import { join, openSession, pair, part, sideOf, type Session } from './pairing.ts';
import type { Passage } from './passage.ts';
import { RELAY_PATHS, type Joining, type Opening, type RelayPort } from './port.ts';

const SESSION = 'session';
/** A deploy drops sockets without a word: how often a session is looked after that has none. */
const INSPECTION_MILLIS = 6 * 60 * 60 * 1000;

export class Relay extends DurableObject<Env> implements RelayPort {
  readonly #passage: Passage;
  /** Settled by the agent's leg. In memory: the requestor's upgrade waits in the same one. */
  #agentLeg: PromiseWithResolvers<void> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#passage = new HibernatingPassage(ctx);
  }

  override async fetch(request: Request): Promise<Response> {
    const opens = new URL(request.url).pathname === RELAY_PATHS.open;
    const stamp = readStamp(request) as Opening | Joining;
    const { requestId } = stamp;
    try {
      return opens ? await this.#open(stamp as Opening) : await this.#join(stamp as Joining);
    } catch (error) {
      return errorResponse(error, requestId);
    }
  }

  /**
   * The requestor is let in last: when its upgrade is answered both legs are there, so that only
   * the agent can be early. Any answer of the agent but 200 is the requestor's, instead of 101.
   */
  async #open(opening: Opening): Promise<Response> {
    const { provider, url, headers, requestId } = opening;
    const session = this.ctx.id.toString();
    const opened = openSession(opening, Date.now());
    this.#save(opened);
    await this.ctx.storage.setAlarm(opened.openUntil);
    this.#agentLeg = Promise.withResolvers();
    // It may be rejected before anybody waits for it.
    this.#agentLeg.promise.catch(() => {});
    try {
      const hub = hubOf(this.env.HUB, settingsOf(this.env).HUB_SHARDS, provider);
      const answer = valueOf(await hub.openRelay(provider, requestId, { session, url, headers }));
      if (answer.status !== 200) {
        await this.#end(CLOSE.unpaired);
        return agentResponse(answer, requestId);
      }
      await within(this.#agentLeg.promise, opened.openUntil - Date.now());
      const joined = this.#load();
      if (!joined) throw new GolemError('link_lost');
      this.#save(pair(joined));
      await this.ctx.storage.setAlarm(Date.now() + INSPECTION_MILLIS);
      return switchingProtocols(this.#passage.join('requestor', false), {
        'golem-session': session,
        'golem-request-id': requestId,
      });
    } catch (error) {
      await this.#end(CLOSE.unpaired);
      throw error;
    }
  }

  async #join(joining: Joining): Promise<Response> {
    const before = this.#load();
    if (!before) throw new GolemError('session_not_found');
    const session = join(before, joining, Date.now());
    if (before.phase === 'paired') this.#passage.part();
    const client = this.#passage.join(sideOf(session, joining), session.phase === 'parted');
    if (session.phase === 'joined') {
      this.#save(session);
      this.#agentLeg?.resolve();
    } else if (this.#passage.complete) {
      this.#save(pair(session));
      await this.ctx.storage.setAlarm(Date.now() + INSPECTION_MILLIS);
    } else {
      this.#save(session);
      await this.ctx.storage.setAlarm(session.openUntil);
    }
    return switchingProtocols(client, { 'golem-request-id': joining.requestId });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    this.#passage.message(socket, data);
    if (this.#passage.empty) await this.#end(CLOSE.peerGone);
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    await this.#left(socket, code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#left(socket, 1006, '');
  }

  override async alarm(): Promise<void> {
    const session = this.#load();
    if (session?.phase === 'paired' && this.#passage.complete) {
      await this.ctx.storage.setAlarm(Date.now() + INSPECTION_MILLIS);
    } else if (session?.phase === 'paired') {
      await this.#part(session);
    } else {
      await this.#end(CLOSE.unpaired);
    }
  }

  async #left(socket: WebSocket, code: number, reason: string): Promise<void> {
    const isLost = this.#passage.left(socket, code, reason);
    const session = this.#load();
    if (session?.phase === 'parted') return;
    if (session?.phase === 'paired' && isLost) await this.#part(session);
    else if (this.#passage.empty) await this.#end(CLOSE.peerGone);
  }

  /** Both parties have some time to come again. */
  async #part(session: Session): Promise<void> {
    const parted = part(session, Date.now());
    this.#passage.part();
    this.#save(parted);
    await this.ctx.storage.setAlarm(parted.openUntil);
  }

  /** Nothing is kept of a session that is over: its id opens nothing any more. */
  async #end(close: Close): Promise<void> {
    this.#agentLeg?.reject(new GolemError('link_lost'));
    this.#passage.close(close);
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  #load(): Session | undefined {
    return this.ctx.storage.kv.get<Session>(SESSION);
  }

  #save(session: Session): void {
    this.ctx.storage.kv.put(SESSION, session);
  }
}

async function within(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer = 0;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new GolemError('provider_timeout', "The provider's leg did not come in time.")),
      Math.max(0, milliseconds),
    );
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
