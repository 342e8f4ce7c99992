/** `golem context remove`: the name goes; keys stay where they are, and so do VMs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { ownConfigFile, removeHosts } from '../../openssh/installed.ts';
import { cachedNames } from '../../state/cached.ts';
import { changeConfig } from '../../state/config.ts';
import { checkContext } from '../../state/home.ts';
import { STANDARD_CONTEXT } from '../../state/paths.ts';
import type { LocalCommand } from '../command.ts';
import { contextOutput, type ContextOutput } from './output.ts';
import { storedConfig } from './stored.ts';

export const remove: LocalCommand<ContextOutput> = {
  name: 'remove',
  isLocal: true,
  repairs: true,
  usage: 'CONTEXT',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem context remove work'],

  async run({ home, env, note, confirm }, { args: [name = ''] }) {
    if (name === STANDARD_CONTEXT) {
      throw new GolemError('usage', `${STANDARD_CONTEXT} is always there.`);
    }
    const config = storedConfig(home);
    checkContext(config, name);
    const output = contextOutput(config, env, name, home.context.value);
    const vms = cachedNames(output.vms);
    const question = `You have ${vms.join(', ')} there. Forget the context all the same?`;
    if (vms.length > 0 && !(await confirm(question))) {
      throw new GolemError('needs_input', 'The context was not removed: you have VMs there.', {
        hint: `Say --yes where nobody can be asked. See them: golem --context ${name} vm list`,
      });
    }
    await changeConfig(home.paths.config, (now) => {
      const { [name]: _, ...contexts } = now.contexts;
      const { context, ...rest } = now;
      return { ...rest, contexts, ...(context === name ? {} : { context }) };
    });
    // Its names are for VMs of contexts that are there.
    await removeHosts(ownConfigFile(home.paths, name));
    if (output.ownKey) note(`Its key stays: ${output.keyFile}`);
    return output;
  },
};
