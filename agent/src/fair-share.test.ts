import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairShare } from './fair-share.ts';

/** How many get in one after the other. */
const fill = (room: FairShare, who: string) => {
  let count = 0;
  while (room.enter(who)) count += 1;
  return count;
};

test('one alone leaves room, and so does everybody after them', () => {
  const room = new FairShare(64);
  expect(fill(room, 'a')).toBe(52);
  expect(fill(room, 'b')).toBe(10);
  expect(fill(room, 'c')).toBe(2);
  expect(room.enter('d')).toBeUndefined();
});

test('two that come in turns get about the same', () => {
  const room = new FairShare(64);
  const held = { a: 0, b: 0 };
  for (let turn = 0; turn < 64; turn += 1) {
    if (room.enter('a')) held.a += 1;
    if (room.enter('b')) held.b += 1;
  }
  expect(held).toEqual({ a: 29, b: 28 });
});

test('whoever comes and goes, nobody gets more than is there, and what is let go of is free again', () => {
  const walk = fc.array(fc.record({ who: fc.constantFrom('a', 'b', 'c'), enters: fc.boolean() }));
  fc.assert(
    fc.property(walk, fc.integer({ min: 1, max: 20 }), (steps, total) => {
      const room = new FairShare(total);
      const inside: { who: string; place: Disposable }[] = [];
      for (const { who, enters } of steps) {
        if (enters) {
          const own = inside.filter((one) => one.who === who).length;
          const left = total - inside.length;
          const place = room.enter(who);
          expect(place !== undefined).toBe(left > 0 && own < 4 * left);
          if (place) inside.push({ who, place });
        } else {
          const at = inside.findIndex((one) => one.who === who);
          const [gone] = at < 0 ? [] : inside.splice(at, 1);
          gone?.place[Symbol.dispose]();
          // Twice is once.
          gone?.place[Symbol.dispose]();
        }
      }
      for (const { place } of inside) place[Symbol.dispose]();
      expect(fill(room, 'a')).toBe(fill(new FairShare(total), 'a'));
    }),
  );
});
