/** Command lines as people and cats type them. */
import fc from 'fast-check';
import type { OptionWords, Words } from '../../cli/src/program/words.ts';

/** What others would take for a number, for nothing, or for something of theirs. */
const TRAPS = [
  ...['007', '1e3', '0x10', '-0', '1_000', 'NaN', 'Infinity', 'true', 'false', 'null', 'undefined'],
  ...['', ' ', '-', '--', '---', '=', '*', '~', '$HOME', '`id`', '__proto__', 'constructor', '..'],
  ...['日本', '👩‍👩‍👧', '\u202e', '\u0000', '\u001b[2J', 'a\nb', '%s', '{}', '[]', "'", '"'],
];
const VALUES = [
  ...['web', 'web-1', 'small', '4G', '512M', '0.05', '10m', 'DE', 'x86_64', 'json', 'yaml', 'tsv'],
  ...['KEY=VALUE', '8080:localhost:80', 'web:file', 'vm_abcdefgh', 'gp_abcdefghijklmnop', 'a'],
];

/** Names of files stay in the folder in which all this happens. */
const harmless = (word: string) => word.replaceAll(/[/\\]/g, '_');

export function commandLine({ commands, groups, common }: Words): fc.Arbitrary<string[]> {
  const value = fc.oneof(
    fc.constantFrom(...TRAPS),
    fc.constantFrom(...VALUES),
    fc.string({ maxLength: 12 }).map(harmless),
    fc.string({ unit: 'grapheme', maxLength: 6 }).map(harmless),
    fc.integer().map(String),
    fc.double().map(String),
  );
  const options = [...commands.flatMap((command) => command.options), ...common];
  const optionOf = (known: readonly OptionWords[]): fc.Arbitrary<string[]> =>
    fc.constantFrom(...known).chain(({ name, short, value: takes, choices }) => {
      const typed = choices ? fc.oneof(fc.constantFrom(...choices), value) : value;
      const long =
        takes === undefined ? fc.constant<string[]>([`--${name}`]) : twoWays(`--${name}`, typed);
      return short === undefined ? long : fc.oneof(long, twoWays(`-${short}`, typed));
    });
  const noise = fc.oneof(
    value.map((word): string[] => [word]),
    optionOf(options),
  );
  const known = fc.constantFrom(...commands).chain(({ group, name, options: own }) => {
    const words = [group, name].filter((word) => word !== undefined);
    const likely = fc.oneof(
      { weight: 4, arbitrary: optionOf([...own, ...common]) },
      { weight: 3, arbitrary: value.map((word): string[] => [word]) },
      { weight: 1, arbitrary: noise },
    );
    return fc
      .tuple(fc.array(optionOf(common), { maxLength: 1 }), fc.array(likely, { maxLength: 4 }))
      .map(([before, after]) => [...before.flat(), ...words, ...after.flat()]);
  });
  const word = fc.oneof(
    fc.constantFrom(...groups.map(({ name }) => name), ...commands.map(({ name }) => name), 'help'),
    value,
  );
  const anything = fc
    .array(
      fc.oneof(
        word.map((each): string[] => [each]),
        noise,
      ),
      { maxLength: 6 },
    )
    .map((words) => words.flat());
  return fc.oneof({ weight: 3, arbitrary: known }, { weight: 1, arbitrary: anything });
}

function twoWays(option: string, value: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  return fc.oneof(
    value.map((text): string[] => [option, text]),
    value.map((text): string[] => [`${option}=${text}`]),
    fc.constant<string[]>([option]),
  );
}
