import { GolemError } from '@vm-on-golem/shared/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAskedFor, parseArgv } from './argv.ts';
import type { Command, Input } from '../commands/command.ts';

const command: Command = {
  name: 'create',
  usage: '[NAME...]',
  args: { min: 0, max: 2 },
  options: [
    { name: 'memory', short: 'm', value: 'SIZE', summary: '' },
    { name: 'label', value: 'KEY=VALUE', summary: '', repeatable: true },
    { name: 'yes', short: 'y', summary: '' },
    { name: 'no-wait', summary: '' },
    { name: 'max-price', value: 'USD', summary: '' },
  ],
  examples: [],
  run: async () => undefined,
};
const ssh: Command = { ...command, name: 'ssh', args: { min: 1, max: 1 }, passesOn: true };

const parse = (...words: string[]): Input => parseArgv(command, words);
const refusal = (...words: string[]): GolemError => {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof GolemError) return error;
    throw error;
  }
  throw new Error(`${words.join(' ')} was taken`);
};

describe('an option has its value', () => {
  test.each([
    [['--memory', '4G']],
    [['--memory=4G']],
    [['-m', '4G']],
    [['-m4G']],
    [['-m=4G']],
    [['-ym', '4G']],
    [['-ym4G']],
  ])('%j', (words) => {
    expect(parse(...words).options['memory']).toEqual(['4G']);
  });
});

describe('what is typed stays text', () => {
  test.each([
    '007',
    '1e3',
    '0x10',
    '-0',
    'true',
    'null',
    '',
    ' ',
    '--help',
    '-rf',
    '../x',
    'a=b=c',
  ])('%j', (value) => {
    expect(parse(`--memory=${value}`).options['memory']).toEqual([value]);
    expect(parse('--', value).args).toEqual([value]);
  });
});

test('switches are set by being there', () => {
  expect(parse('web').options).toEqual({});
  expect(parse('-y', '--no-wait').options).toEqual({ yes: [], 'no-wait': [] });
});

test('what may be repeated keeps its order', () => {
  expect(parse('--label', 'a=1', '--label=b=2').options['label']).toEqual(['a=1', 'b=2']);
});

test('- is an argument, and so is everything after --', () => {
  expect(parse('-', '--', '-y')).toMatchObject({ args: ['-', '-y'], options: {} });
});

describe('a slip is a usage error that says what was meant', () => {
  test.each<[string[], RegExp, RegExp?]>([
    [['--memroy', '4G'], /no option --memroy/, /--memory/],
    [['--memroy=4G'], /no option --memroy/, /--memory/],
    [['-x'], /no option -x/],
    [['-yx'], /no option -x/],
    [['--memory'], /--memory needs a value/, /--memory SIZE/],
    [['--memory', '--yes'], /--memory needs a value/, /begins with a dash/],
    [['--yes=1'], /--yes takes no value/],
    [['--no-yes'], /no option --no-yes/],
    [['--wait'], /no option --wait/, /--help/],
    [['--memory', '1', '-m', '2'], /given 2 times/],
    [['a', 'b', 'c'], /'c' is too much/],
    [['--__proto__', 'x'], /no option --__proto__/],
    [['--maxPrice', '1'], /no option --maxPrice/, /--max-price/],
  ])('%j', (words, message, hint) => {
    const error = refusal(...words);
    expect(error.code).toBe('usage');
    expect(error.message).toMatch(message);
    expect(error.hint ?? '').toMatch(hint ?? /./);
  });

  test('too few arguments, but not when help is asked for', () => {
    const two = { ...ssh, usage: 'NAME SNAPSHOT', args: { min: 2, max: 2 }, passesOn: false };
    expect(() => parseArgv(two, [])).toThrow('NAME is missing.');
    expect(() => parseArgv(two, ['web'])).toThrow('SNAPSHOT is missing.');
    const many = { ...two, usage: 'SOURCE... TARGET' };
    expect(() => parseArgv(many, [])).toThrow('SOURCE is missing.');
    expect(() => parseArgv(ssh, [])).toThrow('Something is missing');
    expect(parseArgv(ssh, ['--help']).options).toHaveProperty('help');
  });
});

describe('a command that passes words on', () => {
  const pass = (...words: string[]) => parseArgv(ssh, words);

  test('takes options before its argument, and leaves the rest as it is', () => {
    expect(pass('-y', 'web', 'ls', '-y', '--memory')).toEqual({
      args: ['web'],
      options: { yes: [] },
      rest: ['ls', '-y', '--memory'],
    });
  });

  test('drops one -- between the two, and no other', () => {
    expect(pass('web', '--', 'a', '--', 'b').rest).toEqual(['a', '--', 'b']);
  });

  test('is asked for help behind its argument, unless a program there is', () => {
    expect(pass('web', '--help')).toEqual({ args: ['web'], options: { help: [] }, rest: [] });
    expect(pass('web', '-h').options).toEqual({ help: [] });
    expect(pass('web', '--', '--help')).toMatchObject({ options: {}, rest: ['--help'] });
    expect(pass('--', 'web', '--help')).toMatchObject({ options: {}, rest: ['--help'] });
    expect(pass('web', 'ls', '--help')).toMatchObject({ options: {}, rest: ['ls', '--help'] });
  });

  test('takes no value of an option for its argument', () => {
    expect(pass('-m', 'web', 'db', 'x')).toMatchObject({ args: ['db'], rest: ['x'] });
    expect(pass('-mweb', 'db')).toMatchObject({ args: ['db'], rest: [] });
  });

  test('passes on any words at all', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(pass('web', '--', ...words).rest).toEqual(words);
      }),
    );
  });
});

test('any words are taken as they are, or refused as a usage error', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('-', '--', '-y', '--yes', '--memory', '-m', '--label', '--no-wait', '-o'),
    fc.string().map((value) => `--memory=${value}`),
    fc.string().map((value) => `-m${value}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      try {
        const { args, options } = parse(...words);
        const said = words.join('\n');
        const typed = [...args, ...Object.values(options).flat()];
        expect(typed.filter((text) => !said.includes(text))).toEqual([]);
      } catch (error) {
        expect(error).toMatchObject({ name: 'GolemError', code: 'usage' });
      }
    }),
  );
});

test('a format is asked for in every way that it can be written', () => {
  for (const words of [
    ['-o', 'json'],
    ['-ojson'],
    ['-o=json'],
    ['--output', 'json'],
    ['x', '--output=json'],
    ['-o', 'table', '-o', 'json'],
  ]) {
    expect(formatAskedFor(words)).toBe('json');
  }
  for (const words of [[], ['json'], ['-o'], ['ssh', 'web', '--', '-o', 'json']]) {
    expect(formatAskedFor(words)).toBeUndefined();
  }
});
