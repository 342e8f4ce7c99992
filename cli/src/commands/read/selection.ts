/** Which VMs a command means that takes several: by name, by label, or all. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { VmEntry } from '../../state/book.ts';
import { isSet, type Context, type Input, type Option } from '../command.ts';
import { findEntry } from './reference.ts';

export const SELECTION_OPTIONS: readonly Option[] = [
  { name: 'all', summary: 'all of your own' },
  {
    name: 'label',
    value: 'KEY=VALUE',
    summary: 'all with this label',
    repeatable: true,
  },
];

/** @throws {GolemError} `usage` where nothing, or two things at once, are said; `vm_not_found` */
export async function readSelection(
  context: Pick<Context, 'book'>,
  input: Input,
): Promise<VmEntry[]> {
  const labels = (input.options['label'] ?? []).map(readLabel);
  const ways = [input.args.length > 0, isSet(input, 'all'), labels.length > 0];
  if (ways.filter(Boolean).length !== 1) {
    const isNone = !ways.includes(true);
    const what = isNone ? 'Which VMs are meant?' : 'Names, --label and --all do not go together.';
    throw new GolemError('usage', what, {
      hint: 'Give their names, or --label KEY=VALUE, or --all.',
    });
  }
  if (input.args.length > 0) {
    const named = await Promise.all(input.args.map((text) => findEntry(context, text)));
    return [...new Map(named.map((entry) => [entry.name, entry])).values()];
  }
  const own = (await context.book.all()).filter(({ vm }) => vm?.sharedBy === undefined);
  return own.filter(({ vm }) => labels.every(([key, value]) => vm?.labels?.[key] === value));
}

/** @throws {GolemError} `usage` */
export function readLabel(text: string): [key: string, value: string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new GolemError('usage', `'${text}' is no label.`, { hint: 'Write --label KEY=VALUE.' });
}
