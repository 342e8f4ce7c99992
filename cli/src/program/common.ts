/** Options that every command has, before it or after it. */
import { FORMATS } from '../presenters/render.ts';
import type { Option } from '../commands/command.ts';

export const COMMON_OPTIONS: readonly Option[] = [
  {
    name: 'output',
    short: 'o',
    value: 'FORMAT',
    choices: FORMATS,
    summary: `${FORMATS.slice(0, -1).join(', ')} or ${FORMATS.at(-1)}`,
  },
  { name: 'quiet', short: 'q', summary: 'print ids only' },
  { name: 'yes', short: 'y', summary: 'agree to what would be asked' },
  { name: 'no-input', summary: 'ask nothing' },
  { name: 'no-color', summary: 'no colours, as with NO_COLOR=1' },
  { name: 'context', value: 'CONTEXT', summary: 'another discovery service or key for once' },
  { name: 'debug', summary: 'show requests, and what is behind an error' },
  { name: 'help', short: 'h', summary: 'this text' },
];

/** The common options, but where a command means something else by that name or letter. */
export function optionsOf(own: readonly Option[]): Option[] {
  const names = new Set(own.map(({ name }) => name));
  const letters = new Set(own.map(({ short }) => short));
  const common = COMMON_OPTIONS.filter(({ name }) => !names.has(name)).map((option) => {
    const { short, ...rest } = option;
    return short !== undefined && letters.has(short) ? rest : option;
  });
  return [...own, ...common];
}
