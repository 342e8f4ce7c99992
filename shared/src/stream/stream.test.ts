/** Both halves of a stream and what lies between them, in every order that a network allows. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { Backlog } from './backlog.ts';
import type { Frame } from './frame.ts';
import { Receiver } from './receiver.ts';
import { Sender, StreamViolation } from './sender.ts';

const { windowBytes, windowMaxBytes, payloadBytes, ackBytes } = LIMITS.relay;

/** The byte that a stream has at `offset`, so that what arrives shows where it was. */
const byteAt = (offset: number) => (offset * 31 + (offset >> 8)) & 0xff;
const bytesFrom = (offset: number, length: number) =>
  Uint8Array.from({ length }, (_, at) => byteAt(offset + at));

type Step =
  | { readonly kind: 'write'; readonly length: number }
  | { readonly kind: 'arrive' | 'take' | 'report' | 'hear' | 'end' | 'drop' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('write' as const), length: fc.nat(200_000) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('arrive', 'take', 'report', 'hear') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('end', 'drop') }) },
);

/**
 * One direction: frames go one way and acknowledgements the other, each in order and late, over one
 * socket after the other.
 */
class Line {
  readonly sender = new Sender();
  readonly receiver = new Receiver();
  readonly backlog = new Backlog();
  readonly #forth: Frame[] = [];
  readonly #back: Frame[] = [];
  #epoch = 0;
  written = 0;
  taken = 0;
  mostWaiting = 0;
  corrupt = 0;

  do(what: Step): void {
    switch (what.kind) {
      case 'write': {
        const length = Math.min(what.length, this.sender.writable);
        this.#forth.push(...this.sender.data(bytesFrom(this.written, length)));
        this.written += length;
        return;
      }
      case 'end':
        if (!this.sender.finished) this.#forth.push(this.sender.fin());
        return;
      case 'drop':
        return this.#resume();
      case 'arrive':
        return this.#arrive(this.#forth.shift());
      case 'take':
        return this.#take();
      case 'report': {
        const ack = this.receiver.acknowledge(0);
        if (ack) this.#back.push(ack);
        return;
      }
      case 'hear': {
        const ack = this.#back.shift();
        if (ack?.kind === 'ack') this.sender.acknowledged(ack.offset, ack.window);
      }
    }
  }

  /** Whatever is under way is lost, and another socket takes the place of this one. */
  #resume(): void {
    this.#forth.length = 0;
    this.#back.length = 0;
    const { offset } = this.receiver.resume((this.#epoch += 1));
    this.#forth.push(...this.sender.resumed(offset));
  }

  #arrive(frame: Frame | undefined): void {
    if (frame?.kind === 'data') {
      this.receiver.data(frame.offset, frame.payload.length, false, 0);
      this.backlog.add(frame.payload);
    } else if (frame) {
      this.receiver.fin(frame.offset);
    }
    this.mostWaiting = Math.max(this.mostWaiting, this.receiver.pending);
  }

  #ended = false;
  #take(): void {
    const chunk = this.backlog.take();
    if (chunk) {
      if (Buffer.compare(chunk, bytesFrom(this.taken, chunk.length)) !== 0) this.corrupt += 1;
      this.taken += chunk.length;
      this.receiver.delivered(chunk.length);
    } else if (this.receiver.finished && !this.#ended) {
      this.#ended = true;
      this.receiver.delivered(1);
    }
  }
}

test('every byte arrives once and in order over any sockets, and never more than a window waits', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const line = new Line();
      for (const what of steps) line.do(what);
      line.do({ kind: 'end' });
      const rest = ['arrive', 'take', 'report', 'hear'] as const;
      for (let round = 0; round < 1000 && !line.sender.done; round += 1) {
        for (const kind of rest) line.do({ kind });
      }
      expect(line.sender.done).toBe(true);
      expect(line.receiver.done).toBe(true);
      expect(line).toMatchObject({ taken: line.written, corrupt: 0 });
      expect(line.mostWaiting).toBeLessThanOrEqual(windowBytes);
    }),
  );
});

describe('a sender', () => {
  test('is paused at the end of its window, and says so in its last frame', () => {
    const sender = new Sender();
    const frames = sender.data(new Uint8Array(windowBytes));
    expect(sender.writable).toBe(0);
    expect(frames).toHaveLength(Math.ceil(windowBytes / payloadBytes));
    expect(frames.map((frame) => frame.kind === 'data' && frame.blocked)).toEqual([
      ...Array<boolean>(frames.length - 1).fill(false),
      true,
    ]);
    expect(() => sender.data(new Uint8Array(1))).toThrow(RangeError);
    sender.acknowledged(10, windowBytes);
    expect(sender.writable).toBe(10);
  });

  test('keeps what it was granted when the window gets smaller', () => {
    const sender = new Sender();
    sender.data(new Uint8Array(100));
    sender.acknowledged(100, 0);
    expect(sender.writable).toBe(windowBytes - 100);
  });

  test('can end without window, and then says no more', () => {
    const sender = new Sender();
    sender.data(new Uint8Array(windowBytes));
    expect(sender.fin()).toEqual({ kind: 'fin', offset: windowBytes });
    expect(sender.writable).toBe(0);
    expect(sender.done).toBe(false);
    sender.acknowledged(windowBytes + 1, 0);
    expect(sender.done).toBe(true);
    expect(() => sender.fin()).toThrow(RangeError);
  });

  test('believes no acknowledgement that cannot be', () => {
    const sender = new Sender();
    sender.data(new Uint8Array(100));
    sender.acknowledged(50, windowBytes);
    expect(() => sender.acknowledged(101, windowBytes)).toThrow(StreamViolation);
    expect(() => sender.acknowledged(49, windowBytes)).toThrow(StreamViolation);
    expect(() => sender.acknowledged(50, windowMaxBytes + 1)).toThrow(StreamViolation);
  });
});

describe('a stream that is taken up again', () => {
  test('goes on where the receiver is, whatever it has acknowledged', () => {
    const sender = new Sender();
    sender.data(bytesFrom(0, 200_000));
    sender.acknowledged(50_000, windowBytes);
    const [first, ...rest] = sender.resumed(60_000);
    expect(first).toMatchObject({ kind: 'data', offset: 60_000 });
    const payloads = [first, ...rest].flatMap((frame) =>
      frame?.kind === 'data' ? [frame.payload] : [],
    );
    expect(Buffer.compare(Buffer.concat(payloads), bytesFrom(60_000, 140_000))).toBe(0);
    expect(sender.writable).toBe(windowBytes - 150_000);
  });

  test('has its end sent again, unless that was received', () => {
    const sender = new Sender();
    sender.data(bytesFrom(0, 10));
    sender.fin();
    expect(sender.resumed(10)).toEqual([{ kind: 'fin', offset: 10 }]);
    expect(sender.resumed(11)).toEqual([]);
    sender.acknowledged(11, 0);
    expect(sender.done).toBe(true);
    expect(sender.resumed(11)).toEqual([]);
  });

  test('is never taken up where nothing was, or is any more', () => {
    const sender = new Sender();
    sender.data(bytesFrom(0, 100));
    sender.acknowledged(50, windowBytes);
    expect(() => sender.resumed(101)).toThrow(StreamViolation);
    expect(() => sender.resumed(49)).toThrow(StreamViolation);
    expect(sender.resumed(100)).toEqual([]);
  });

  test('has its window granted anew, as the last grant may be lost', () => {
    const receiver = new Receiver();
    receiver.data(0, 100, false, 0);
    receiver.delivered(60);
    const ack = { kind: 'ack', offset: 60, window: windowBytes };
    expect(receiver.acknowledge(0)).toEqual(ack);
    expect(receiver.acknowledge(0)).toBeUndefined();
    expect(receiver.resume(7)).toEqual({ kind: 'resume', offset: 100, epoch: 7 });
    expect(receiver.acknowledge(0)).toEqual(ack);
    expect(receiver.acknowledge(0)).toBeUndefined();
  });
});

describe('a receiver', () => {
  test('takes no gap, no repetition, nothing past its window, and nothing after the end', () => {
    const receiver = new Receiver();
    receiver.data(0, 100, false, 0);
    expect(() => receiver.data(101, 1, false, 0)).toThrow('bytes at 101, expected 100');
    expect(() => receiver.data(99, 1, false, 0)).toThrow(StreamViolation);
    expect(() => receiver.data(100, windowBytes - 99, false, 0)).toThrow(
      'more bytes than the window',
    );
    receiver.data(100, windowBytes - 100, false, 0);
    receiver.fin(windowBytes);
    expect(() => receiver.data(windowBytes + 1, 1, false, 0)).toThrow('bytes after the end');
    expect(() => receiver.fin(windowBytes + 1)).toThrow(StreamViolation);
  });

  test('reports at once when there is much to report or nothing more to come', () => {
    const receiver = new Receiver();
    receiver.data(0, ackBytes + 10, false, 0);
    expect(receiver.delivered(ackBytes - 1)).toBe(false);
    expect(receiver.delivered(1)).toBe(true);
    expect(receiver.acknowledge(0)).toEqual({ kind: 'ack', offset: ackBytes, window: windowBytes });
    expect(receiver.acknowledge(0)).toBeUndefined();
    receiver.fin(ackBytes + 10);
    expect(receiver.delivered(10)).toBe(false);
    expect(receiver.delivered(1)).toBe(true);
  });

  test('grants only what its sink took', () => {
    const receiver = new Receiver();
    receiver.data(0, windowBytes, false, 0);
    expect(receiver.acknowledge(0)).toBeUndefined();
    expect(() => receiver.delivered(windowBytes + 1)).toThrow(RangeError);
    expect(receiver.pending).toBe(windowBytes);
  });
});

describe('a backlog', () => {
  test('gives back what was put in, however it was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(64), fc.nat(20_000)), { maxLength: 50 }), (lengths) => {
        const backlog = new Backlog();
        let length = 0;
        for (const piece of lengths) {
          backlog.add(bytesFrom(length, piece));
          length += piece;
        }
        let taken = 0;
        for (let chunk = backlog.take(); chunk; chunk = backlog.take()) {
          expect(Buffer.compare(chunk, bytesFrom(taken, chunk.length))).toBe(0);
          taken += chunk.length;
        }
        expect(taken).toBe(length);
      }),
    );
  });

  test('keeps a window of single bytes in a few pieces', () => {
    const backlog = new Backlog();
    const count = 64 * 1024;
    for (let at = 0; at < count; at += 1) backlog.add(bytesFrom(at, 1));
    let chunks = 0;
    while (backlog.take()) chunks += 1;
    expect(chunks).toBeLessThanOrEqual(count / 4096);
  });
});
