/** Commands that need a VM at rest: refused while it runs, or stopped for them and started again. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Rental } from '../../sdk/ports.ts';
import type { VmCommand } from '../../sdk/vms/commands.ts';
import { isSet, type Context, type Input, type Option } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';
import { stageReporter } from './stages.ts';
import { DEFAULT_TIMEOUT, readTimeout, waiting } from './waiting.ts';

export const REST_OPTIONS: readonly Option[] = [
  { name: 'stop', summary: 'stop it first if it runs, and start it again' },
  { name: 'timeout', value: 'TIME', summary: `how long to wait (${DEFAULT_TIMEOUT})` },
];

export interface RestChange {
  /** Such as: snapshot. */
  readonly what: string;
  /** Said when it is done, such as: snapshot one taken. */
  readonly done: string;
  readonly command: Exclude<VmCommand, string>;
}

/**
 * Whether a VM is at rest, or may be stopped: asked before anybody is asked to agree.
 * @param cannot such as: it cannot be restored
 * @throws {GolemError} `wrong_state`
 */
export async function checkRest(
  { client, book, signal }: Context,
  input: Input,
  entry: ReadyEntry,
  cannot: string,
): Promise<Rental> {
  const seen = await client.look(entry, { rentals: book, signal });
  if (seen.vm?.state !== 'running' || isSet(input, 'stop')) return seen;
  throw new GolemError('wrong_state', `'${entry.name}' is running: ${cannot}.`, {
    hint: 'With --stop it is stopped for that, and started again.',
  });
}

/** @throws {GolemError} `wrong_state` where it runs and is not to be stopped, `unsupported` */
export function atRest(
  context: Context,
  input: Input,
  entry: ReadyEntry,
  { what, done, command }: RestChange,
): Promise<Rental> {
  const { client, book } = context;
  const { name } = entry;
  const mayStop = isSet(input, 'stop');
  const undo = mayStop ? ` It may be stopped: golem vm start ${name}.` : '';
  const unfinished = {
    what: `The ${what} of '${name}'`,
    hint: `Follow it: golem vm wait ${name}.${undo}`,
  };
  return waiting(context, readTimeout(input), unfinished, (signal) => {
    const options = { rentals: book, signal, onStage: stageReporter(context, name, done) };
    const act = (rental: Rental) => client.apply(rental, command, options);
    return mayStop ? client.whileStopped(entry, act, options) : act(entry);
  });
}
