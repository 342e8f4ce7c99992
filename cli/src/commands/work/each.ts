/** The same for several VMs at once: one that fails keeps nobody from the others. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../command.ts';

/**
 * @returns what became of those that went well, in their order
 * @throws the first error, after all are done; the others are said
 */
export async function each<Item extends { readonly name: string }, Result>(
  { note }: Pick<Context, 'note'>,
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = await Promise.allSettled(items.map(async (item) => act(item)));
  const errors = results.flatMap((result, at) =>
    result.status === 'rejected'
      ? [{ error: result.reason as unknown, name: items[at]?.name }]
      : [],
  );
  const [first, ...others] = errors;
  if (first === undefined) {
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }
  for (const { error, name } of others) {
    if (!(error instanceof GolemError)) throw error;
    if (error.code !== 'interrupted') note(`${name}: ${error.message}`);
  }
  throw first.error;
}
