import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Command } from '../commands/command.ts';
import { outputOptions, show, showAll, type Sink } from './output.ts';

interface Beat {
  readonly at: string;
  readonly count: number;
}

const beats: Command<Beat> = {
  name: 'beats',
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: [],
  run: async () => ({ at: 'now', count: 1 }),
  present: ({ at, count }) => ({
    table: {
      columns: [{ title: 'AT' }, { title: 'COUNT' }],
      rows: [[at, String(count)]],
      empty: '',
    },
    ids: [String(count)],
  }),
};

async function* two(): AsyncGenerator<Beat> {
  yield { at: 'midnight', count: 1 };
  yield { at: 'noon', count: 2 };
}

class Paper implements Sink {
  readonly isTTY: boolean;
  readonly columns = 40;
  readonly rows = 10;
  text = '';

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

interface PrintOptions {
  readonly isTTY?: boolean;
  readonly live?: 'append' | 'redraw';
  readonly stream?: boolean;
}

async function printed(
  options: Record<string, string[]>,
  { isTTY = false, live = 'append', stream = true }: PrintOptions = {},
): Promise<string> {
  const paper = new Paper(isTTY);
  const chosen = outputOptions({ args: [], rest: [], options }, paper, { NO_COLOR: '1' });
  const command = { ...beats, live } as Command;
  if (stream) await showAll(command, two(), chosen, paper);
  else await show(command, { at: 'now', count: 1 }, chosen, paper);
  return paper.text;
}

describe('one value after the other', () => {
  test.each([
    [['json'], '{"at":"midnight","count":1}\n{"at":"noon","count":2}\n'],
    [['yaml'], '---\nat: midnight\ncount: 1\n---\nat: noon\ncount: 2\n'],
    [['tsv'], 'AT\tCOUNT\nmidnight\t1\nnoon\t2\n'],
    [['table'], 'AT        COUNT\nmidnight  1\nnoon      2\n'],
    [['name'], '1\n2\n'],
  ])('%j', async (output, text) => {
    expect(await printed({ output })).toBe(text);
    // What is redrawn on a terminal is a list anywhere else.
    expect(await printed({ output }, { live: 'redraw' })).toBe(text);
  });

  test('on a terminal each takes the place of the one before, where that is wanted', async () => {
    expect(await printed({}, { isTTY: true, live: 'redraw' })).toBe(
      'AT        COUNT\nmidnight  1\n\u001b[2F\u001b[0JAT    COUNT\nnoon  2\n',
    );
  });
});

test.each([
  [{}, false, 'AT\tCOUNT\nnow\t1\n'],
  [{}, true, 'AT   COUNT\nnow  1\n'],
  [{ output: ['json'] }, true, '{\n  "at": "now",\n  "count": 1\n}\n'],
  [{ output: ['yaml'] }, true, 'at: now\ncount: 1\n'],
  [{ quiet: [] }, true, '1\n'],
])('%j on a terminal: %s', async (options, isTTY, text) => {
  expect(await printed(options, { isTTY, stream: false })).toBe(text);
});

test('an unknown format is refused', async () => {
  await expect(printed({ output: ['xml'] })).rejects.toMatchObject({ code: 'usage' });
});

describe('text of strangers', () => {
  // The introducer and the string of C1, a reversal of direction, and a tag beyond the first plane.
  const NAME = 'a\u009b2J\u009d0;x\u202eb\u{e0041}\u001b[1m\u007f\u2028\u00e9 \u{1f600}';
  const data = { name: NAME, more: ['plain'] };
  const command = { ...beats, run: async () => data, present: () => ({}) } as Command;
  const shown = async (format: string, isTTY: boolean, stream: boolean) => {
    const paper = new Paper(isTTY);
    const options = outputOptions({ args: [], rest: [], options: { output: [format] } }, paper, {});
    const values = async function* () {
      yield data;
    };
    if (stream) await showAll(command, values(), options, paper);
    else await show(command, data, options, paper);
    return paper.text;
  };

  test.each([
    ['json', true],
    ['json', false],
    ['yaml', true],
    ['yaml', false],
  ])('as %s drives no terminal, and is read as it was (stream: %s)', async (format, stream) => {
    const text = await shown(format, true, stream);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    expect(text).toContain('\u00e9 \u{1f600}');
    expect(format === 'json' ? JSON.parse(text) : parse(text)).toEqual(data);
  });

  test('goes to a program as it always did', async () => {
    expect(await shown('json', false, false)).toBe(`${JSON.stringify(data, null, 2)}\n`);
    expect(await shown('yaml', false, false)).toBe(stringify(data));
  });
});
