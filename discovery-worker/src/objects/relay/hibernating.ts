/**
 * The mode in which idle sessions cost nothing: sockets hibernate, each with the flow that it
 * sends in its attachment. An attachment is written with every frame that counts: that takes
 * microseconds and no storage, and no moment of eviction can lose a count.
 */
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { closeSocket } from '../close.ts';
import { GateViolation, NEW_FLOW, otherSide, pass, type Flow, type Flows } from './gate.ts';
import type { Side } from './pairing.ts';
import type { Passage } from './passage.ts';

interface Attachment {
  readonly side: Side;
  readonly flow: Flow;
}

/**
 * Frames of the agent that may come before the requestor's upgrade is answered: the guest's
 * greeting, a few more. Their bytes are bounded by the initial window.
 */
const MAX_EARLY_FRAMES = 256;

export class HibernatingPassage implements Passage {
  readonly #ctx: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  #legs: Partial<Record<Side, WebSocket>>;
  #flows: Flows;
  /** In memory only: the requestor's pending upgrade keeps the object there. */
  #early: ArrayBuffer[] = [];

  constructor(ctx: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>) {
    this.#ctx = ctx;
    const legs: Partial<Record<Side, WebSocket>> = {};
    const flows = { requestor: NEW_FLOW, agent: NEW_FLOW };
    for (const socket of ctx.getWebSockets()) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      const { side, flow } = socket.deserializeAttachment() as Attachment;
      legs[side] = socket;
      flows[side] = flow;
    }
    this.#legs = legs;
    this.#flows = flows;
  }

  get empty(): boolean {
    return !this.#legs.agent && !this.#legs.requestor;
  }

  join(side: Side): WebSocket {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    this.#legs[side] = server;
    this.#keep(side);
    if (side === 'requestor') {
      for (const frame of this.#early) server.send(frame);
      this.#early = [];
    }
    return client;
  }

  message(socket: WebSocket, data: string | ArrayBuffer): void {
    const { side } = socket.deserializeAttachment() as Attachment;
    if (this.#legs[side] !== socket) return;
    if (typeof data === 'string') {
      this.#violated(side, CLOSE.protocol, 'a relay carries binary frames only');
      return;
    }
    const other = this.#legs[otherSide(side)];
    try {
      if (!other && this.#early.length >= MAX_EARLY_FRAMES) {
        throw new GateViolation(CLOSE.protocol, 'too many frames before the other end was there');
      }
      this.#advance(pass(this.#flows, side, new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof GateViolation)) throw error;
      this.#violated(side, error.close, error.message);
      return;
    }
    if (other) other.send(data);
    else this.#early.push(data);
  }

  left(socket: WebSocket, code: number, reason: string): void {
    const { side } = socket.deserializeAttachment() as Attachment;
    closeSocket(socket, code, reason);
    if (this.#legs[side] !== socket) return;
    delete this.#legs[side];
    const other = this.#legs[otherSide(side)];
    delete this.#legs[otherSide(side)];
    if (!other) return;
    if (code === 1000) closeSocket(other, 1000, reason);
    else closeSocket(other, CLOSE.peerGone.code, because(CLOSE.peerGone.reason, reason));
  }

  close({ code, reason }: Close): void {
    for (const leg of Object.values(this.#legs)) closeSocket(leg, code, reason);
    this.#legs = {};
    this.#early = [];
  }

  #violated(side: Side, { code, reason }: Close, how: string): void {
    const { [side]: guilty, [otherSide(side)]: other } = this.#legs;
    this.#legs = {};
    this.#early = [];
    if (guilty) closeSocket(guilty, code, because(reason, how));
    if (other) {
      closeSocket(other, CLOSE.peerGone.code, because(CLOSE.peerGone.reason, `${reason}: ${how}`));
    }
  }

  #advance(flows: Flows): void {
    const before = this.#flows;
    this.#flows = flows;
    for (const side of ['requestor', 'agent'] as const) {
      if (flows[side] !== before[side]) this.#keep(side);
    }
  }

  #keep(side: Side): void {
    const attachment: Attachment = { side, flow: this.#flows[side] };
    this.#legs[side]?.serializeAttachment(attachment);
  }
}

const because = (what: string, why: string) => (why === '' ? what : `${what}: ${why}`);
