/** `golem completion`: what a shell has to know to complete the words of `golem`. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import { SHELLS } from '../presenters/shells/index.ts';
import type { LocalCommand } from './command.ts';

interface Script {
  readonly shell: string;
  readonly script: string;
}

const NAMES = Object.keys(SHELLS);

export const completion: LocalCommand<Script> = {
  name: 'completion',
  isLocal: true,
  usage: NAMES.join('|'),
  args: { min: 1, max: 1 },
  options: [],
  examples: [
    'source <(golem completion bash)',
    'golem completion zsh > ~/.zsh/completions/_golem',
    'golem completion fish | source',
    'golem completion powershell | Out-String | Invoke-Expression',
  ],
  about: [
    'Prints a script to be sourced by the shell that is named. It completes commands, options, their values where these are few, and names of VMs out of what this machine remembers, without asking anybody.',
  ],

  async run(_, { args: [shell = ''] }) {
    const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (script !== undefined) return { shell, script };
    const guess = closest(shell, NAMES);
    throw new GolemError('usage', `There is no completion for '${shell}'.`, {
      hint: guess ? `Did you mean ${guess}?` : `There is one for ${NAMES.join(', ')}.`,
    });
  },
  present: ({ shell, script }) => ({ lines: script.trimEnd().split('\n'), names: [shell] }),
};
