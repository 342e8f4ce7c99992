import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spansOf } from '../scripts/record/spans.ts';
import { svgOf } from '../scripts/record/svg.ts';
import { timelineOf, type Shot } from '../scripts/record/timeline.ts';

const shots = fc
  .array(fc.array(fc.constantFrom('', '$ ', 'a', 'b', 'a b'), { maxLength: 4 }), { minLength: 1 })
  .map((all) => all.map((lines, at): Shot => ({ millis: at * 10, lines })));

test('at every time the timeline shows what the terminal showed', () => {
  fc.assert(
    fc.property(shots, (all) => {
      const timeline = timelineOf(all);
      for (const { millis, lines } of all) {
        const seen = timeline.filter(
          ({ from, to }) => from <= millis && (to === undefined || millis < to),
        );
        expect(seen.map(({ line, text }) => [line, text])).toEqual(
          lines.flatMap((text, line) => (text === '' ? [] : [[line, text]])),
        );
      }
    }),
  );
});

test('colours end where the terminal ends them', () => {
  expect(spansOf('a\x1b[1;32mb\x1b[22mc\x1b[39md\x1b[94me\x1b[0mf')).toEqual([
    { text: 'a' },
    { text: 'b', colour: 2, isBold: true },
    { text: 'c', colour: 2 },
    { text: 'd' },
    { text: 'e', colour: 12 },
    { text: 'f' },
  ]);
});

test('what was printed cannot end the element that it is in', () => {
  const timeline = [{ line: 0, text: '</text><script>&', from: 0 }];
  const svg = svgOf(timeline, { title: 'a < b', columns: 80 });
  expect(svg).toContain('>&lt;/text&gt;&lt;script&gt;&amp;</text>');
  expect(svg).toContain('<title>a &lt; b</title>');
});
