/**
 * The mode in which idle sessions cost nothing: sockets hibernate, each with the flow that it
 * sends in its attachment. An attachment is written with every frame that counts: that takes
 * microseconds and no storage, and no moment of eviction can lose a count.
 */
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { closeSocket } from '../close.ts';
import { GateViolation, NEW_FLOW, pass, RESUMING_FLOW, type Flow, type Flows } from './gate.ts';
import { otherSide, type Side } from './pairing.ts';
import type { Passage } from './passage.ts';

interface Attachment {
  readonly side: Side;
  readonly flow: Flow;
  /** The session is over; the peer has not confirmed the close yet. */
  readonly over?: true;
  /** What a leg that came again has said before the other one was there. */
  readonly early?: readonly ArrayBuffer[];
}

/**
 * Frames of the agent that may come before the requestor's upgrade is answered: the guest's
 * greeting, a few more. Their bytes are bounded by the initial window.
 */
const MAX_EARLY_FRAMES = 256;
/** A leg that came again first has nothing to say but where it is: it has to fit an attachment. */
const MAX_EARLY_AGAIN = 8;
/** Codes by which a socket ends that nobody closed on purpose. */
const LOST: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1012]);

export class HibernatingPassage implements Passage {
  readonly #ctx: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  /** A deploy drops sockets without a word. */
  readonly inspectionMillis = 6 * 60 * 60 * 1000;
  #legs: Partial<Record<Side, WebSocket>>;
  #flows: Flows;
  /** At the opening in memory only: the requestor's pending upgrade keeps the object there. */
  #early: ArrayBuffer[] = [];
  /** The leg that came again first waits for the other one. */
  #isTakenUp = false;

  constructor(ctx: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>) {
    this.#ctx = ctx;
    const legs: Partial<Record<Side, WebSocket>> = {};
    let flows: Flows = { requestor: NEW_FLOW, agent: NEW_FLOW };
    for (const socket of ctx.getWebSockets()) {
      const { side, flow, over, early } = socket.deserializeAttachment() as Attachment;
      if (over) continue;
      legs[side] = socket;
      flows = { ...flows, [side]: flow };
      if (!early) continue;
      this.#isTakenUp = true;
      this.#early = [...early];
      flows = { requestor: RESUMING_FLOW, agent: RESUMING_FLOW };
      for (const frame of early) flows = pass(flows, side, new Uint8Array(frame), token).flows;
    }
    this.#legs = legs;
    this.#flows = flows;
  }

  get complete(): boolean {
    return this.has('agent') && this.has('requestor');
  }

  join(side: Side, again: boolean): WebSocket {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    this.#end(side, CLOSE.displaced.code, CLOSE.displaced.reason);
    const isSecond = this.#legs[otherSide(side)] !== undefined;
    if (again && !isSecond) {
      this.#flows = { requestor: RESUMING_FLOW, agent: RESUMING_FLOW };
      this.#early = [];
      this.#isTakenUp = true;
    }
    this.#legs[side] = server;
    if (isSecond) {
      for (const frame of this.#early) server.send(frame);
      this.#early = [];
      this.#isTakenUp = false;
      this.#keep(otherSide(side));
    }
    this.#keep(side);
    return client;
  }

  has(side: Side): boolean {
    return this.#legs[side] !== undefined;
  }

  /** Payload that was forwarded, both ways, since both legs met. */
  get carried(): number {
    return this.#flows.agent.carried + this.#flows.requestor.carried;
  }

  /**
   * A leg has sent something. A leg that was closed may have sent it before it knew: that is for
   * nobody.
   * @returns whether the session goes on: a violation ends it
   */
  message(socket: WebSocket, data: string | ArrayBuffer): boolean {
    const side = this.#sideOf(socket);
    if (!side) return true;
    if (typeof data === 'string') {
      this.#violated(side, CLOSE.protocol, 'a relay carries binary frames only');
      return false;
    }
    const other = this.#legs[otherSide(side)];
    let forward: readonly Uint8Array[];
    try {
      const room = this.#isTakenUp ? MAX_EARLY_AGAIN : MAX_EARLY_FRAMES;
      if (!other && this.#early.length >= room) {
        throw new GateViolation(CLOSE.protocol, 'too many frames before the other end was there');
      }
      const passed = pass(this.#flows, side, new Uint8Array(data), token);
      this.#advance(passed.flows);
      ({ forward } = passed);
    } catch (error) {
      if (!(error instanceof GateViolation)) throw error;
      this.#violated(side, error.close, error.message);
      return false;
    }
    if (other) {
      for (const frame of forward) other.send(frame);
    } else {
      this.#early.push(...forward.map(copyOf));
      this.#keep(side);
    }
    return true;
  }

  /**
   * A leg is gone, and so the other one goes.
   * @returns whether it was lost, rather than closed by somebody: then both may come again
   */
  left(socket: WebSocket, code: number, reason: string): boolean {
    // Woken by this very event, the object is not given the socket among its others.
    const { side, over } = socket.deserializeAttachment() as Attachment;
    // The handshake is for us to finish, also on a leg that we closed.
    closeSocket(socket, code, reason);
    if (over) return false;
    delete this.#legs[side];
    if (LOST.has(code)) {
      this.part();
      return true;
    }
    if (code === 1000) this.#end(otherSide(side), 1000, reason);
    else this.#end(otherSide(side), CLOSE.peerGone.code, because(CLOSE.peerGone.reason, reason));
    return false;
  }

  part(): void {
    this.close(CLOSE.parted);
  }

  close({ code, reason }: Close): void {
    this.#end('agent', code, reason);
    this.#end('requestor', code, reason);
  }

  #violated(side: Side, { code, reason }: Close, how: string): void {
    const why = because(reason, how);
    this.#end(side, code, why);
    this.#end(otherSide(side), CLOSE.peerGone.code, because(CLOSE.peerGone.reason, why));
  }

  #end(side: Side, code: number, reason: string): void {
    const leg = this.#legs[side];
    if (!leg) return;
    delete this.#legs[side];
    this.#early = [];
    const attachment: Attachment = { side, flow: this.#flows[side], over: true };
    leg.serializeAttachment(attachment);
    closeSocket(leg, code, reason);
  }

  /** Undefined for a leg whose session is over. */
  #sideOf(socket: WebSocket): Side | undefined {
    if (this.#legs.agent === socket) return 'agent';
    return this.#legs.requestor === socket ? 'requestor' : undefined;
  }

  #advance(flows: Flows): void {
    const before = this.#flows;
    this.#flows = flows;
    for (const side of ['requestor', 'agent'] as const) {
      if (flows[side] !== before[side]) this.#keep(side);
    }
  }

  #keep(side: Side): void {
    const attachment: Attachment = {
      ...{ side, flow: this.#flows[side] },
      ...(this.#isTakenUp ? { early: this.#early } : {}),
    };
    this.#legs[side]?.serializeAttachment(attachment);
  }
}

function token(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 2 ** 16) * 2 ** 32 + low;
}

const copyOf = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer;

const because = (what: string, why: string) => (why === '' ? what : `${what}: ${why}`);
