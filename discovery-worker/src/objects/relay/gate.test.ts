import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { decodeFrame, encodeFrame, type Frame } from '@vm-on-golem/shared/stream/frame';
import { Receiver } from '@vm-on-golem/shared/stream/receiver';
import { Sender } from '@vm-on-golem/shared/stream/sender';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GateViolation, MAX_UNHEARD, NEW_FLOW, pass, type Flows } from './gate.ts';
import { otherSide, type Side } from './pairing.ts';

const START: Flows = { requestor: NEW_FLOW, agent: NEW_FLOW };
const TOKEN = 0x0102_0304_0506;
const data = (offset: number, length: number): Frame => ({
  kind: 'data',
  offset,
  blocked: false,
  payload: new Uint8Array(length),
});

function through(flows: Flows, from: Side, ...frames: readonly Frame[]): Flows {
  return frames.reduce(
    (flows, frame) => pass(flows, from, encodeFrame(frame), () => TOKEN).flows,
    flows,
  );
}

describe('the gate', () => {
  it('lets nothing pass beyond the window, to the byte', () => {
    const { windowBytes, payloadBytes } = LIMITS.relay;
    const frames = Array.from({ length: windowBytes / payloadBytes }, (_, n) =>
      data(n * payloadBytes, payloadBytes),
    );
    const full = through(START, 'agent', ...frames);
    expect(() => through(full, 'agent', data(windowBytes, 1))).toThrow(
      new GateViolation(CLOSE.overWindow, '1 bytes past the window'),
    );
    const granted = through(full, 'requestor', { kind: 'ack', offset: 1, window: windowBytes });
    expect(through(granted, 'agent', data(windowBytes, 1)).agent.next).toBe(windowBytes + 1);
    expect(() => through(granted, 'agent', data(windowBytes, 2))).toThrow(/1 bytes past/);
  });

  it('never takes back what was granted', () => {
    const shrunk = through(through(START, 'agent', data(0, 10)), 'requestor', {
      kind: 'ack',
      offset: 10,
      window: 0,
    });
    expect(shrunk.agent.limit).toBe(LIMITS.relay.windowBytes);
  });

  it('lets the end pass without window, and nothing after it', () => {
    const ended = through(START, 'agent', data(0, 5), { kind: 'fin', offset: 5 });
    expect(ended.agent).toMatchObject({ next: 6, finished: true });
    expect(() => through(ended, 'agent', data(6, 1))).toThrow(/after the end/);
    expect(through(ended, 'requestor', { kind: 'ack', offset: 6, window: 1 }).agent).toMatchObject({
      acknowledged: 6,
    });
  });

  it('stops a flood of frames that take no window', () => {
    let flows = START;
    for (let n = 0; n < MAX_UNHEARD; n++) {
      flows = through(flows, 'agent', { kind: 'ping', offset: n });
    }
    expect(() => through(flows, 'agent', { kind: 'ping', offset: 0 })).toThrow(/nobody answers/);
    const heard = through(flows, 'requestor', { kind: 'pong', offset: 0 });
    expect(heard.agent.unheard).toBe(0);
    expect(through(heard, 'agent', { kind: 'ping', offset: 0 }).agent.unheard).toBe(1);
  });

  describe('asks a receiver whether it reads', () => {
    const { probeBytes, payloadBytes, unprobedBytes, windowMaxBytes } = LIMITS.relay;

    /** The agent sends `bytes`; the requestor acknowledges all of it at once, and echoes nothing. */
    function flood(bytes: number): { flows: Flows; probes: number[] } {
      let flows = START;
      const probes: number[] = [];
      for (let at = 0; at < bytes; at += payloadBytes) {
        const passed = pass(flows, 'agent', encodeFrame(data(at, payloadBytes)), () => at + 1);
        for (const bytes of passed.forward) {
          const frame = decodeFrame(bytes);
          if (frame.kind === 'probe') probes.push(frame.offset);
        }
        const offset = at + payloadBytes;
        flows = through(passed.flows, 'requestor', { kind: 'ack', offset, window: windowMaxBytes });
      }
      return { flows, probes };
    }

    it('once for every MiB that it is sent, after it', () => {
      const { flows, probes } = flood(3 * probeBytes);
      expect(probes).toHaveLength(3);
      expect(flows.agent.probes.map(({ offset }) => offset / probeBytes)).toEqual([1, 2, 3]);
      expect(flows.agent.carried).toBe(3 * probeBytes);
    });

    it('and stops the stream of one that only says so', () => {
      flood(probeBytes + unprobedBytes);
      expect(() => flood(probeBytes + unprobedBytes + 1)).toThrow(/acknowledged and not read/);
    });

    it('and takes the right answers in their order, and passes them on to nobody', () => {
      const { flows, probes } = flood(3 * probeBytes);
      const [first = 0, second = 0] = probes;
      const echo = (offset: number) => encodeFrame({ kind: 'probe', offset });
      const passed = pass(flows, 'requestor', echo(first), () => 0);
      expect(passed.forward).toEqual([]);
      expect(passed.flows.agent.probes).toHaveLength(2);
      expect(() => pass(flows, 'requestor', echo(second), () => 0)).toThrow(/nobody asked/);
      expect(() => pass(flows, 'agent', echo(first), () => 0)).toThrow(/nobody asked/);
    });
  });

  it('passes everything that well-behaved ends say to each other', () => {
    const step = fc.record({
      from: fc.constantFrom<Side>('requestor', 'agent'),
      bytes: fc.integer({ min: 1, max: 300_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const senders = { requestor: new Sender(), agent: new Sender() };
        const receivers = { requestor: new Receiver(), agent: new Receiver() };
        let flows = START;
        for (const { from, bytes } of steps) {
          const sender = senders[from];
          const receiver = receivers[otherSide(from)];
          for (const frame of sender.data(new Uint8Array(Math.min(bytes, sender.writable)))) {
            flows = through(flows, from, frame);
            if (frame.kind !== 'data') continue;
            receiver.data(frame.offset, frame.payload.length, frame.blocked, 0);
            receiver.delivered(frame.payload.length);
          }
          const ack = receiver.acknowledge(0);
          if (ack?.kind !== 'ack') continue;
          flows = through(flows, otherSide(from), ack);
          sender.acknowledged(ack.offset, ack.window);
          expect(flows[from].acknowledged).toBe(ack.offset);
        }
      }),
    );
  });

  it('forwards at most what was granted, whatever comes', () => {
    const frame: fc.Arbitrary<Frame> = fc.oneof(
      fc
        .tuple(fc.nat(3_000_000), fc.integer({ min: 1, max: 65_536 }))
        .map(([offset, length]) => data(offset, length)),
      fc.record({
        kind: fc.constant('ack' as const),
        offset: fc.nat(100_000),
        window: fc.nat(2 ** 32 - 1),
      }),
      fc.record({
        kind: fc.constantFrom('fin' as const, 'ping' as const, 'probe' as const),
        offset: fc.nat(100_000),
      }),
    );
    const sent = fc.tuple(fc.constantFrom<Side>('requestor', 'agent'), frame, fc.boolean());
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 80 }), (all) => {
        let flows = START;
        for (const [from, frame, aligned] of all) {
          // Half of them continue where the flow is: random offsets alone get nowhere.
          const offset = aligned && frame.kind !== 'ack' ? flows[from].next : frame.offset;
          try {
            flows = through(flows, from, { ...frame, offset });
          } catch (error) {
            expect(error).toBeInstanceOf(GateViolation);
          }
          for (const flow of [flows.agent, flows.requestor]) {
            expect(flow.acknowledged).toBeLessThanOrEqual(flow.next);
            expect(flow.next - (flow.finished ? 1 : 0)).toBeLessThanOrEqual(flow.limit);
            expect(flow.limit - flow.acknowledged).toBeLessThanOrEqual(LIMITS.relay.windowMaxBytes);
          }
        }
      }),
    );
  });

  it('answers any bytes by passing them or by a violation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          pass(START, 'agent', bytes, () => TOKEN);
        } catch (error) {
          expect(error).toBeInstanceOf(GateViolation);
        }
      }),
    );
  });
});
