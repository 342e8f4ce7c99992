/** Commands that need a VM at rest: refused while it runs, or stopped for them and started again. */
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
  readonly command: Exclude<VmCommand, string>;
}

/** @throws {GolemError} `wrong_state` where it runs and is not to be stopped, `unsupported` */
export function atRest(
  context: Context,
  input: Input,
  entry: ReadyEntry,
  { what, command }: RestChange,
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
    const options = { rentals: book, signal, onStage: stageReporter(context, name) };
    const act = (rental: Rental) => client.apply(rental, command, options);
    return mayStop ? client.whileStopped(entry, act, options) : act(entry);
  });
}
