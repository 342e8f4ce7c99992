/** `golem context add`: a name for another discovery service, and maybe another key. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { changeConfig } from '../../state/config.ts';
import { contextNames } from '../../state/home.ts';
import { isSet, type LocalCommand } from '../command.ts';
import { checkUrl } from '../config/setting.ts';
import { contextOutput, type ContextOutput } from './output.ts';

/** Part of the name of a folder, and never taken for a path or an option. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

export const add: LocalCommand<ContextOutput> = {
  name: 'add',
  isLocal: true,
  repairs: true,
  usage: 'CONTEXT URL',
  args: { min: 2, max: 2 },
  options: [
    { name: 'own-key', summary: 'a key that no other context has: nobody sees that both are you' },
  ],
  examples: [
    'golem context add work https://discovery.example',
    'golem context add private https://discovery.example --own-key',
  ],

  async run({ home, env, note }, input) {
    const [name = '', discovery = ''] = input.args;
    if (!NAME.test(name)) {
      throw new GolemError('usage', `'${name}' cannot be the name of a context.`, {
        hint: 'It is up to 32 lower-case letters, digits and dashes, and begins with a letter.',
      });
    }
    checkUrl(discovery);
    let output: ContextOutput | undefined;
    await changeConfig(home.paths.config, (config) => {
      if (contextNames(config).includes(name)) throw taken(name);
      const added = isSet(input, 'own-key') ? { discovery, ownKey: true } : { discovery };
      const next = { ...config, contexts: { ...config.contexts, [name]: added } };
      output = contextOutput(next, env, name, home.context.value);
      return next;
    });
    if (!output) throw new TypeError('the change was made');
    note(`Take it from now on: golem context use ${name}. For once: golem --context ${name} ...`);
    return output;
  },
};

function taken(name: string): GolemError {
  return new GolemError('file_exists', `There is a context '${name}' already.`, {
    hint: `Change it: golem --context ${name} config set discovery URL`,
  });
}
