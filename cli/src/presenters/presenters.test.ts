import { GolemError } from '@vm-on-golem/shared/errors';
import { describe, expect, test } from 'vitest';
import { errorJson, errorLines } from './error.ts';
import { coloured } from '../program/coloured.ts';
import { paletteOf } from './colour.ts';
import { render, renderPart } from './render.ts';
import { elapsed, memory, perHour, perMonth, span } from './units.ts';
import type { View } from './view.ts';

const view: View = {
  table: {
    columns: [{ title: 'NAME' }, { title: 'CPU', right: true }, { title: 'PROVIDER' }],
    rows: [
      ['web', '4', 'gp_abcdefghijklmnopqrstuvwxyz'],
      ['database', '16', 'gp_z'],
    ],
    empty: 'nothing here',
  },
  ids: ['vm_1', 'vm_2'],
  names: ['web', 'database'],
};
const table = { format: 'table', quiet: false } as const;

test('what is no error of ours is told as lines, and moves no cursor', () => {
  const error = Object.assign(new Error('x'), { stack: 'Error: \u001b[2Jx\u009b1m\n  at y\u0007' });
  expect(errorLines(error, false)).toEqual(['golem: this is a bug: Error:  [2Jx 1m', '  at y ']);
});

test('an error as JSON is read as it was, and moves no cursor', () => {
  const error = new GolemError('internal', 'a\u009b2J\u202eb');
  expect(errorJson(error)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(errorJson(error))).toEqual(error.toBody());
});

describe('a table', () => {
  test('is aligned for people', () => {
    expect(render(view, table)).toBe(
      [
        'NAME      CPU  PROVIDER',
        'web         4  gp_abcdefghijklmnopqrstuvwxyz',
        'database   16  gp_z',
        '',
      ].join('\n'),
    );
  });

  test('is cut where the terminal ends, from its widest column', () => {
    const lines = render(view, { ...table, width: 30 }).split('\n');
    expect(lines[1]).toBe('web         4  gp_abcdefghijk…');
    expect(Math.max(...lines.map((line) => line.length))).toBe(30);
  });

  test('goes on below without a head, as wide as before', () => {
    const first = renderPart(view, table);
    const more = {
      table: { columns: view.table?.columns ?? [], rows: [['x', '1', 'y']], empty: '' },
    };
    expect(renderPart(more, { ...table, ...(first.head ? { after: first.head } : {}) }).text).toBe(
      'x           1  y\n',
    );
    const tsv = renderPart(view, { format: 'tsv', quiet: false });
    expect(
      renderPart(more, { format: 'tsv', quiet: false, ...(tsv.head ? { after: tsv.head } : {}) })
        .text,
    ).toBe('x\t1\ty\n');
  });

  test('has more columns for programs and those who want them', () => {
    const wide = {
      table: {
        columns: [{ title: 'A' }, { title: 'B', wide: true }],
        rows: [['1', '2']],
        empty: '',
      },
    };
    expect(render(wide, table)).toBe('A\n1\n');
    expect(render(wide, { ...table, format: 'wide', width: 2 })).toBe('A  B\n1  2\n');
    expect(render(wide, { ...table, format: 'tsv' })).toBe('A\tB\n1\t2\n');
  });

  test('is coloured by the text of its cells, which takes no room', () => {
    const columns = [{ title: 'STATE', tones: { up: 'good' as const } }, { title: 'N' }];
    const rows = [
      ['up', '1'],
      ['constructor', '2'],
    ];
    const text = render(
      { table: { columns, rows, empty: '' } },
      { ...table, palette: paletteOf(coloured) },
    );
    expect(text).toContain('\u001b[32mup\u001b[39m           1\n');
    expect(text).toContain('constructor  2\n');
  });

  test('says what an empty one means', () => {
    const empty = { table: { columns: [], rows: [], empty: 'You rent nothing.' } };
    expect(render(empty, table)).toBe('You rent nothing.\n');
    expect(render(empty, { ...table, format: 'tsv' })).not.toContain('You rent');
  });

  test('is split by tabs for programs, and never cut', () => {
    expect(render(view, { format: 'tsv', quiet: false, width: 10 })).toBe(
      'NAME\tCPU\tPROVIDER\nweb\t4\tgp_abcdefghijklmnopqrstuvwxyz\ndatabase\t16\tgp_z\n',
    );
  });

  test('is names or ids alone where those are asked for', () => {
    expect(render(view, { format: 'name', quiet: false })).toBe('web\ndatabase\n');
    expect(render(view, { ...table, quiet: true })).toBe('vm_1\nvm_2\n');
  });
});

describe('what strangers say', () => {
  const evil = 'a\u001b[2J\tb\nc\u202ed\u0007\u2028e';

  test('stays on its line, in its column, and moves no cursor', () => {
    const rows = [[evil, 'x', 'y']];
    const hostile = { table: { columns: view.table?.columns ?? [], rows, empty: '' } };
    for (const format of ['table', 'tsv'] as const) {
      const text = render(hostile, { format, quiet: false });
      expect(text.trimEnd().split('\n')).toHaveLength(2);
      expect(text.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    const [, row = ''] = render(hostile, { format: 'tsv', quiet: false }).split('\n');
    expect(row.split('\t')).toHaveLength(3);
  });

  test('is harmless in an error, too', () => {
    const error = new GolemError('internal', evil, { hint: evil, requestId: evil });
    expect(errorLines(error, false)).toEqual([
      'golem: a [2J b c d  e',
      'hint: a [2J b c d  e',
      'request: a [2J b c d  e',
    ]);
  });
});

describe('an error', () => {
  const cause = new Error('connect ECONNREFUSED');
  const error = new GolemError('discovery_unreachable', undefined, { hint: 'Look.', cause });

  test('says what, what helps, and why to whoever wants to know', () => {
    expect(errorLines(error, false)).toEqual([`golem: ${error.message}`, 'hint: Look.']);
    expect(errorLines(error, true)).toContain('cause: connect ECONNREFUSED');
  });

  test('has the shape that it has on the wire', () => {
    expect(JSON.parse(errorJson(error))).toMatchObject({
      error: { code: 'discovery_unreachable', hint: 'Look.', retryable: true },
    });
  });

  test('says what the system said', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { syscall: 'connect' });
    const behind = new GolemError('discovery_unreachable', undefined, {
      cause: new TypeError('fetch failed', { cause: refused }),
    });
    expect(errorLines(behind, false)).toEqual([
      `golem: ${behind.message}`,
      'cause: connect ECONNREFUSED',
    ]);
  });

  test('of ours says that it is one', () => {
    expect(errorLines(new TypeError('x is undefined'), false)[0]).toMatch(/this is a bug: .*x is/);
    expect(JSON.parse(errorJson(new TypeError('oops')))).toMatchObject({
      error: { code: 'internal' },
    });
  });
});

test('amounts are written as people write them', () => {
  expect([memory(512), memory(1024), memory(1536), memory(65536)]).toEqual([
    '512M',
    '1G',
    '1536M',
    '64G',
  ]);
  expect(perHour(8_000_000)).toBe('$0.008000/h');
  expect(perMonth(8_000_000)).toBe('$5.84/month');
  expect([elapsed(0), elapsed(59_940), elapsed(61_000), elapsed(3_600_000)]).toEqual([
    '0.0s',
    '59.9s',
    '1m01s',
    '60m00s',
  ]);
});

test('a span is in its two largest units', () => {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  expect([
    ...[span(-1), span(45_900), span(minute), span(12 * minute + 30_000), span(hour)],
    ...[span(3 * hour + 5 * minute), span(day), span(7 * day - 1)],
  ]).toEqual(['0s', '45s', '1m', '12m', '1h', '3h5m', '1d', '6d23h']);
});
