/** What cannot be undone is not done unless somebody agrees. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { isSet, type Context, type Input } from '../command.ts';

/** @throws {GolemError} `interrupted` when the answer is no, `usage` where nobody can be asked */
export async function agree(
  { confirm }: Pick<Context, 'confirm'>,
  input: Input,
  question: string,
): Promise<void> {
  if (isSet(input, 'yes') || (await confirm(question))) return;
  throw new GolemError('usage', 'Nothing was done.', {
    hint: 'Say --yes where nobody can be asked.',
  });
}
