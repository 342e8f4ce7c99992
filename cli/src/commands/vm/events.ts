/** `golem vm events`: what happened to a VM, as its provider wrote it down; also after its end. */
import type { VmEvent } from '@vm-on-golem/shared/vm-records';
import { eventTable } from '../../presenters/events.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { readCount, readSince } from '../read/range.ts';
import { findPast } from '../work/past.ts';
import { readAddress } from './accept.ts';

export const events: Command<readonly VmEvent[] | VmEvent> = {
  name: 'events',
  usage: 'NAME|PROVIDER/VM',
  args: { min: 1, max: 1 },
  options: [
    { name: 'follow', short: 'f', summary: 'go on with what happens from now on' },
    { name: 'since', value: 'TIME', summary: 'only later ones: 2h ago as 2h, or an ISO 8601 time' },
    { name: 'last', short: 'n', value: 'N', summary: 'only the last so many' },
  ],
  examples: [
    'golem vm events web',
    'golem vm events web -f --since 1h',
    'golem vm events gp_.../vm_... -o json',
  ],
  live: 'append',

  follow(context, input) {
    return isSet(input, 'follow') ? followed(context, input) : undefined;
  },

  run: (context, input) => past(context, input),
  present: (data) => eventTable([data].flat()),
};

async function past(context: Context, input: Input): Promise<VmEvent[]> {
  const { client, signal } = context;
  const { provider, id } = await addressOf(context, input);
  const all = await client.events.all(provider, id, { signal });
  return chosen(all, input, context.now());
}

async function* followed(context: Context, input: Input): AsyncGenerator<VmEvent> {
  const { client, signal } = context;
  const { provider, id } = await addressOf(context, input);
  const all = await client.events.all(provider, id, { signal });
  yield* chosen(all, input, context.now());
  if (all.at(-1)?.kind === 'destroy.done') return;
  yield* client.events.follow(provider, id, { after: all.at(-1)?.n ?? 0, signal });
}

function chosen(all: readonly VmEvent[], input: Input, now: number): VmEvent[] {
  const [since, last] = [option(input, 'since'), option(input, 'last')];
  const from = since === undefined ? 0 : readSince(since, now);
  const later = all.filter(({ at }) => Date.parse(at) >= from);
  return last === undefined ? later : later.slice(-readCount('last', last, 10_000));
}

async function addressOf(
  context: Context,
  { args: [reference = ''] }: Input,
): Promise<{ readonly provider: string; readonly id: string }> {
  if (reference.includes('/')) return readAddress(reference);
  return findPast(context, reference);
}
