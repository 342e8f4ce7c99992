/**
 * One SSH session: brings requestor and agent together and passes frames between them. A thin
 * shell: `pairing.ts` says who may come, a `Passage` moves what they say.
 */
import { DurableObject } from 'cloudflare:workers';
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import { settingsOf, type Env } from '../../env.ts';
import { agentResponse, errorResponse } from '../answers.ts';
import { hubOf } from '../hub/port.ts';
import { valueOf } from '../outcome.ts';
import { readStamp, switchingProtocols } from '../upgrade.ts';
import { CoupledPassage } from './coupled.ts';
import { HibernatingPassage } from './hibernating.ts';
import {
  admit,
  alarmAt,
  join,
  openSession,
  pair,
  part,
  sideOf,
  type Quota,
  type Session,
} from './pairing.ts';
import type { Passage } from './passage.ts';
import { RELAY_PATHS, type Joining, type Opening, type RelayPort } from './port.ts';

const SESSION = 'session';

export class Relay extends DurableObject<Env> implements RelayPort {
  readonly #passage: Passage;
  #session: Session | undefined;
  /** Settled by the agent's leg. In memory: the requestor's upgrade waits in the same one. */
  #agentLeg: PromiseWithResolvers<void> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#session = ctx.storage.kv.get<Session>(SESSION);
    this.#passage =
      settingsOf(env).RELAY_MODE === 'coupled'
        ? new CoupledPassage((reason) => ctx.abort(reason))
        : new HibernatingPassage(ctx);
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
    const opened = openSession(opening, quotaOf(this.env), Date.now());
    await this.#save(opened);
    this.#agentLeg = Promise.withResolvers();
    // It may be rejected before anybody waits for it.
    this.#agentLeg.promise.catch(() => {});
    try {
      const hub = this.#hubOf(provider);
      const answer = valueOf(await hub.openRelay(provider, requestId, { session, url, headers }));
      if (answer.status !== 200) {
        await this.#end(CLOSE.unpaired);
        return agentResponse(answer, requestId);
      }
      await within(this.#agentLeg.promise, opened.openUntil - Date.now());
      if (!this.#session) throw new GolemError('link_lost');
      await this.#save(pair(this.#session));
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
    // Others may come while legs are parted, newer ones as well: what holds is how it is after that.
    while (this.#admitting(joining).phase === 'paired') await this.#part();
    const session = join(this.#admitting(joining), joining);
    const client = this.#passage.join(sideOf(session, joining), session.phase === 'parted');
    const isParted = session.phase === 'parted';
    await this.#save(isParted && this.#passage.complete ? pair(session) : session);
    if (!isParted) this.#agentLeg?.resolve();
    return switchingProtocols(client, { 'golem-request-id': joining.requestId });
  }

  /** @throws {GolemError} when this leg may not come */
  #admitting(joining: Joining): Session {
    if (!this.#session) throw new GolemError('session_not_found');
    admit(this.#session, joining, Date.now());
    return this.#session;
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const passage = this.#passage;
    if (!(passage instanceof HibernatingPassage)) return;
    // What was on its way when the session ended may be much, and must cost next to nothing.
    if (!this.#session) return passage.close(CLOSE.peerGone);
    if (!passage.message(socket, data)) await this.#end(CLOSE.peerGone);
    else if (passage.carried > this.#session.bytesLeft) await this.#end(CLOSE.quota);
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    await this.#left(socket, code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#left(socket, 1006, '');
  }

  override async alarm(): Promise<void> {
    const session = this.#session;
    const now = Date.now();
    if (!session) return;
    if (now >= session.endsAt) return this.#end(CLOSE.quota);
    if (session.phase === 'paired' && !this.#passage.complete) return this.#part();
    if (session.phase !== 'paired' && now >= session.openUntil) return this.#end(CLOSE.unpaired);
    if (this.#misses('agent')) await this.#summon(session.provider);
    await this.#arm(session);
  }

  /** An agent may have been killed, or hear no more on a leg that it takes for good. */
  async #summon(provider: string): Promise<void> {
    try {
      await this.#hubOf(provider).resumeRelay(provider, this.ctx.id.toString());
    } catch (error) {
      // It is asked again in seconds, and there is an end to that.
      console.warn('a hub could not be asked for a leg', error);
    }
  }

  async #left(socket: WebSocket, code: number, reason: string): Promise<void> {
    if (!(this.#passage instanceof HibernatingPassage)) return;
    const isLost = this.#passage.left(socket, code, reason);
    if (!this.#session || this.#session.phase === 'parted') return;
    const { phase } = this.#session;
    if (phase === 'paired' && isLost) await this.#part();
    else if (!this.#passage.has('agent') && !this.#passage.has('requestor')) {
      await this.#end(CLOSE.peerGone);
    }
  }

  /** Both parties have some time to come again; nobody comes before the legs of now are gone. */
  async #part(): Promise<void> {
    await this.ctx.blockConcurrencyWhile(async () => {
      if (!this.#session) return;
      await this.#save(part(this.#session, this.#passage.carried, Date.now()));
      await this.ctx.storage.sync();
      this.#passage.part();
    });
  }

  /** Nothing is kept of a session that is over: its id opens nothing any more. */
  async #end(close: Close): Promise<void> {
    this.#agentLeg?.reject(new GolemError('link_lost'));
    this.#session = undefined;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    await this.ctx.storage.sync();
    this.#passage.close(close);
  }

  async #save(session: Session): Promise<void> {
    this.#session = session;
    this.ctx.storage.kv.put(SESSION, session);
    await this.#arm(session);
  }

  async #arm(session: Session): Promise<void> {
    const isMissing = this.#misses('agent');
    const { inspectionMillis } = this.#passage;
    await this.ctx.storage.setAlarm(alarmAt(session, { inspectionMillis, isMissing }, Date.now()));
  }

  /** The other party is there and waits. */
  #misses(side: 'agent'): boolean {
    return (
      this.#session?.phase === 'parted' &&
      this.#passage.has('requestor') &&
      !this.#passage.has(side)
    );
  }

  #hubOf(provider: string) {
    return hubOf(this.env.HUB, settingsOf(this.env).HUB_SHARDS, provider);
  }
}

function quotaOf(env: Env): Quota {
  const settings = settingsOf(env);
  return {
    bytes: settings.RELAY_SESSION_BYTES,
    seconds: settings.RELAY_SESSION_SECONDS,
    graceSeconds: settings.RELAY_GRACE_SECONDS,
  };
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
