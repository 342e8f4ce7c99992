/** `golem context show`: one context, and where its files are. */
import { checkContext } from '../../state/home.ts';
import type { Origin } from '../../state/settings.ts';
import type { LocalCommand } from '../command.ts';
import { CHOSEN_BY, contextOutput, type ContextOutput } from './output.ts';

interface ShownContext extends ContextOutput {
  /** Where the context is the one in use: who chose it. */
  readonly chosenBy: Origin | null;
}

export const show: LocalCommand<ShownContext> = {
  name: 'show',
  isLocal: true,
  usage: '[CONTEXT]',
  args: { min: 0, max: 1 },
  options: [],
  examples: ['golem context show', 'golem context show work -o json'],

  async run({ home, env }, { args: [name = home.context.value] }) {
    checkContext(home.config, name);
    const shown = contextOutput(home.config, env, name, home.context.value);
    if (!shown.current) return { ...shown, chosenBy: null };
    return { ...shown, discovery: home.discovery, chosenBy: home.context.origin };
  },
  present: ({ name, discovery, ownKey, keyFile, vms, chosenBy }) => ({
    facts: [
      ['context', name],
      ...(chosenBy === null ? [] : [['chosen by', CHOSEN_BY[chosenBy]] as const]),
      ['discovery', discovery],
      ['key', `${keyFile} (${ownKey ? 'its own' : 'common to contexts without one'})`],
      ['vms', vms],
    ],
    ids: [name],
    names: [name],
  }),
};
