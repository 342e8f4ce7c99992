import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wantsColour } from './colour.ts';
import { cut, layOut, widthOf } from './columns.ts';
import { render } from './render.ts';
import type { Column } from './view.ts';

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'STATE', fixed: true },
  { title: 'IMAGE', priority: 2 },
  { title: 'PRICE', fixed: true },
  { title: 'ID', fixed: true, priority: 1 },
];
const natural = [30, 8, 20, 12, 29];

describe('a table that is too wide', () => {
  test.each([
    [undefined, [0, 1, 2, 3, 4], [30, 8, 20, 12, 29]],
    [120, [0, 1, 2, 3, 4], [30, 8, 20, 12, 29]],
    // Cells are cut a little first,
    [92, [0, 1, 2, 3, 4], [17, 8, 18, 12, 29]],
    // then the least important column goes, and what is left has its width again,
    [85, [0, 1, 3, 4], [30, 8, 12, 29]],
    [75, [0, 1, 3, 4], [20, 8, 12, 29]],
    [50, [0, 1, 3], [26, 8, 12]],
    // and at last the rest is cut to what says anything; what is fixed goes over the edge.
    [35, [0, 1, 3], [11, 8, 12]],
    [10, [0, 1, 3], [8, 8, 12]],
  ])('fits %s columns', (room, shown, widths) => {
    expect(layOut(columns, natural, room)).toEqual({ shown, widths });
  });

  test('never cuts what is fixed, and is never wider than it has to be', () => {
    const column = fc.record({
      title: fc.constant('T'),
      fixed: fc.boolean(),
      priority: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(column, fc.nat({ max: 60 })), { minLength: 1, maxLength: 8 }),
        fc.nat({ max: 200 }),
        (table, room) => {
          const definitions = table.map(([definition]) => definition);
          const wanted = table.map(([, width]) => width);
          const { shown, widths } = layOut(definitions, wanted, room);
          for (const [at, index] of shown.entries()) {
            const want = wanted[index] ?? 0;
            const got = widths[at] ?? 0;
            expect(got).toBeLessThanOrEqual(want);
            if (definitions[index]?.fixed) expect(got).toBe(want);
          }
          const kept = definitions.flatMap(({ priority }, at) => (priority === 0 ? [at] : []));
          expect(kept.filter((at) => !shown.includes(at))).toEqual([]);
          const total = widths.reduce((sum, width) => sum + width + 2, -2);
          const least = kept.reduce((sum, at) => {
            const want = wanted[at] ?? 0;
            return sum + 2 + (definitions[at]?.fixed ? want : Math.min(want, 8));
          }, -2);
          if (least <= room && kept.length > 0) expect(total).toBeLessThanOrEqual(room);
        },
      ),
    );
  });
});

describe('what is wide', () => {
  test.each([
    ['web', 3],
    ['データ', 6],
    ['日本', 4],
    ['👩‍👩‍👧', 2],
    ['é', 1],
    ['', 0],
  ])('%s takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('is cut between characters, and no wider than said', () => {
    expect(cut('データベース', 6)).toBe('デー…');
    expect(cut('web', 3)).toBe('web');
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 1, max: 20 }),
        (text, room) => {
          expect(widthOf(cut(text, room))).toBeLessThanOrEqual(room);
        },
      ),
    );
  });

  test('is aligned with what is not', () => {
    const rows = [
      ['データ', '1'],
      ['web', '2'],
    ];
    const text = render(
      { table: { columns: [{ title: 'NAME' }, { title: 'N' }], rows, empty: '' } },
      { format: 'table', quiet: false },
    );
    expect(text).toBe('NAME    N\nデータ  1\nweb     2\n');
  });
});

describe('colours', () => {
  const wants = (env: Record<string, string>, isTerminal = true, isRefused = false) =>
    wantsColour({ env, isTerminal, isRefused });

  test('are for terminals, and for whoever insists', () => {
    expect(wants({})).toBe(true);
    expect(wants({}, false)).toBe(false);
    expect(wants({ CLICOLOR_FORCE: '1' }, false)).toBe(true);
    expect(wants({ CLICOLOR_FORCE: '0' }, false)).toBe(false);
    expect(wants({ CLICOLOR: '0' })).toBe(false);
    expect(wants({ TERM: 'dumb' })).toBe(false);
  });

  test('are not for whoever refuses them, in any way', () => {
    expect(wants({ NO_COLOR: '1', CLICOLOR_FORCE: '1' })).toBe(false);
    expect(wants({ NO_COLOR: '' })).toBe(true);
    expect(wants({ CLICOLOR_FORCE: '1' }, true, true)).toBe(false);
  });
});
