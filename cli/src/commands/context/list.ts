/** `golem context list`. */
import type { LocalCommand } from '../command.ts';
import { contextsOf, contextTable, type ContextOutput } from './output.ts';
import { storedConfig } from './stored.ts';

export const list: LocalCommand<ContextOutput[]> = {
  name: 'list',
  isLocal: true,
  repairs: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem context list', 'golem context list -o name'],

  async run({ home, env, note }) {
    if (home.problem) note(`golem: ${home.problem.message} ${home.problem.hint ?? ''}`);
    // Of the one in use it is what holds, which may be what the environment says.
    return contextsOf(storedConfig(home), env, home.context.value).map((each) =>
      each.current ? { ...each, discovery: home.discovery } : each,
    );
  },
  present: contextTable,
};
