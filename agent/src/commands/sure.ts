/** What cannot be taken back is asked about. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { confirm, isInteractive } from '../terminal.ts';
import type { Input, Option, Surroundings } from './command.ts';

export const YES: Option = { name: 'yes', short: 'y', help: 'do not ask' };

/**
 * For commands with the option `YES`.
 * @throws {GolemError} `usage` where nobody can be asked, `interrupted` when the answer is no
 */
export async function sure(input: Input, around: Surroundings, question: string): Promise<void> {
  if (input.options['yes'] === true) return;
  if (!isInteractive(around)) {
    throw new GolemError('usage', 'There is nobody to ask whether that is meant.', {
      hint: 'Say so with --yes.',
    });
  }
  if (!(await confirm(around, question))) {
    throw new GolemError('interrupted', 'Nothing was changed.');
  }
}
