import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asksForJson, parseArgv } from './argv.ts';
import { COMMAND_GROUPS, COMMANDS } from './commands/index.ts';

const load = (name: string) => {
  const entry = COMMANDS[name];
  if (!entry) throw new Error(`there is no ${name}`);
  return entry.load();
};
const usage = (message: string) =>
  expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) as string });

describe('a command line', () => {
  test('is arguments, options and settings, word for word', async () => {
    const evict = await load('evict');
    const value = fc.string({ minLength: 1 }).filter((text) => !text.startsWith('-'));
    fc.assert(
      fc.property(value, value, fc.constantFrom('json', 'text'), (vm, reason, format) => {
        const words = [vm, '--reason', reason, '-y', `--data-dir=${reason}`, '-o', format];
        expect(parseArgv('evict', evict, words)).toEqual({
          args: [vm],
          options: { reason, yes: true },
          flags: { 'data-dir': reason },
          asJson: format === 'json',
        });
      }),
    );
  });

  test('takes switches back, and repeats what may be repeated', async () => {
    const start = await load('start');
    const words = ['--no-allow-emulation', '--image-dir', 'a', '--image-dir', 'b', '--config', 'c'];
    expect(parseArgv('start', start, words).flags).toEqual({
      'allow-emulation': false,
      'image-dir': ['a', 'b'],
      config: 'c',
    });
  });

  test.each([
    ['start', ['--discvery', 'x'], "no option '--discvery'"],
    ['start', ['--no-discovery'], "no option '--no-discovery'"],
    ['start', ['now'], "'now' is one argument too many"],
    ['evict', [], 'VM is missing'],
    ['evict', ['a', 'b'], "'b' is one argument too many"],
    ['status', ['-o', 'yaml'], 'json or text'],
    ['start', ['--lease'], '--lease needs a value.'],
    [
      'start',
      ['--lease', '--name', 'x'],
      "--lease needs a value, and '--name' looks like an option",
    ],
    ['logs', ['-n', '-f'], "-n needs a value, and '-f' looks like an option"],
    ['init', ['--force=yes'], '--force takes no value.'],
  ])('of %s with %j is refused', async (name, words, message) => {
    const command = await load(name);
    expect(() => parseArgv(name, command, words)).toThrow(usage(message));
  });

  test('is an answer or a wrong use, whatever is typed', async () => {
    const commands = await Promise.all(Object.keys(COMMANDS).map(load));
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '-o',
        'json',
        '--',
        '-n',
        '--yes',
        '--yes=1',
        '--no-yes',
        '--by=',
        '-',
        '--config',
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...commands), fc.array(word), (command, words) => {
        try {
          const { args } = parseArgv('some', command, words);
          expect(args.length).toBeLessThanOrEqual(command.args.max);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
    );
  });

  test('asks for JSON in every way of writing it', () => {
    for (const words of [
      ['-o', 'json'],
      ['-ojson'],
      ['-o=json'],
      ['--output', 'json'],
      ['--output=json'],
    ]) {
      expect(asksForJson(['start', ...words])).toBe(true);
    }
    expect(asksForJson(['start', 'json', '-o', 'text'])).toBe(false);
  });
});

test('every command can be loaded, has an example, and names itself in it', async () => {
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    const { examples, usage, args } = await load();
    expect(examples[0]).toMatch(new RegExp(`golem-provider ${name}\\b`));
    expect(usage === '').toBe(args.max === 0);
    const [first = '', second] = name.split(' ');
    expect(second === undefined || first in COMMANDS || first in COMMAND_GROUPS).toBe(true);
  }
});
