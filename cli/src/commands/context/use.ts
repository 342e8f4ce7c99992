/** `golem context use`: which context is taken where no other is named. */
import { changeConfig } from '../../state/config.ts';
import { checkContext } from '../../state/home.ts';
import { STANDARD_CONTEXT } from '../../state/paths.ts';
import { SETTINGS } from '../../state/settings.ts';
import type { LocalCommand, LocalContext } from '../command.ts';
import { contextOutput, type ContextOutput } from './output.ts';

export const use: LocalCommand<ContextOutput> = {
  name: 'use',
  isLocal: true,
  repairs: true,
  usage: 'CONTEXT',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem context use work', `golem context use ${STANDARD_CONTEXT}`],

  async run({ home, env, note }, { args: [name = ''] }) {
    let output: ContextOutput | undefined;
    await changeConfig(home.paths.config, (config) => {
      checkContext(config, name);
      output = contextOutput(config, env, name, name);
      const { context: _, ...rest } = config;
      return name === STANDARD_CONTEXT ? rest : { ...rest, context: name };
    });
    if (!output) throw new TypeError('the change was made');
    note(`From now on: ${name}, at ${output.discovery}`);
    if (['flag', 'environment'].includes(home.context.origin) && home.context.value !== name) {
      note('golem: GOLEM_CONTEXT and --context go before it.');
    }
    warnOfVariable({ home, note }, output.discovery);
    return output;
  },
};

/** A discovery service of the environment stays whatever context is in use. */
function warnOfVariable(
  { home, note }: Pick<LocalContext, 'home' | 'note'>,
  discovery: string,
): void {
  for (const setting of SETTINGS) {
    if (setting.name !== 'discovery') continue;
    const { value, origin } = home.valueOf(setting);
    if (origin !== 'environment' || value === discovery) continue;
    note(`golem: ${setting.variable} says ${value}, and goes before it.`);
  }
}
