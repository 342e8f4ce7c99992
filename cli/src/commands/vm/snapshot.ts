/** `golem vm snapshot`: takes, lists and deletes snapshots of a VM's disk. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { snapshotNameSchema } from '@vm-on-golem/shared/vm';
import { snapshotTable, type SnapshotOutput } from '../../presenters/snapshots.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';
import { agree } from '../work/agree.ts';
import { atRest, checkRest, REST_OPTIONS } from '../work/rest.ts';

interface SnapshotsOutput {
  readonly snapshots: readonly SnapshotOutput[];
  /** One was taken or deleted: it alone is told of. */
  readonly isOne: boolean;
}

export const snapshot: Command<SnapshotsOutput> = {
  name: 'snapshot',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [
    { name: 'name', value: 'SNAPSHOT', summary: 'what to call it; otherwise by the time' },
    { name: 'list', short: 'l', summary: 'take none: show those that there are' },
    { name: 'delete', value: 'SNAPSHOT', summary: 'take none: delete this one' },
    ...REST_OPTIONS,
  ],
  examples: [
    'golem vm snapshot web --stop',
    'golem vm snapshot web --name before-upgrade',
    'golem vm snapshot web --list',
    'golem vm snapshot web --delete before-upgrade',
  ],

  async run(context, input) {
    const entry = await findReady(context, input.args[0] ?? '');
    const [name, gone] = [option(input, 'name'), option(input, 'delete')];
    if ([name !== undefined, gone !== undefined, isSet(input, 'list')].filter(Boolean).length > 1) {
      throw new GolemError('usage', '--name, --list and --delete do not go together.');
    }
    if (isSet(input, 'list')) return { snapshots: await list(context, entry), isOne: false };
    if (gone !== undefined) return deleted(context, input, entry, checked(gone));
    return taken(context, input, entry, checked(name ?? byTime(context.now())));
  },
  json: ({ snapshots, isOne }) => (isOne ? snapshots[0] : snapshots),
  present: ({ snapshots, isOne }) =>
    isOne ? { lines: [], names: snapshots.map(({ name }) => name) } : snapshotTable(snapshots),
};

async function taken(
  context: Context,
  input: Input,
  entry: ReadyEntry,
  name: string,
): Promise<SnapshotsOutput> {
  await checkRest(context, input, entry, 'no snapshot can be taken of it');
  const done = `snapshot ${name} taken`;
  await atRest(context, input, entry, { what: 'snapshot', done, command: { snapshot: name } });
  context.note(`${entry.name}: bring it back with: golem vm restore ${entry.name} ${name}`);
  const all = await list(context, entry);
  return { snapshots: all.filter((one) => one.name === name), isOne: true };
}

async function deleted(
  context: Context,
  input: Input,
  entry: ReadyEntry,
  name: string,
): Promise<SnapshotsOutput> {
  const gone = await checkThere(context, entry, name);
  await checkRest(context, input, entry, 'its snapshots cannot be deleted');
  await agree(context, input, `Delete the snapshot ${name} of ${entry.name} for good?`);
  await atRest(context, input, entry, {
    ...{ what: 'deletion of the snapshot', done: `snapshot ${name} deleted` },
    command: { deleteSnapshot: name },
  });
  return { snapshots: [gone], isOne: true };
}

/** @throws {GolemError} `not_found` */
export async function checkThere(
  context: Context,
  entry: ReadyEntry,
  name: string,
): Promise<SnapshotOutput> {
  const all = await list(context, entry);
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const names = all.map((one) => one.name).join(', ');
  throw new GolemError('not_found', `'${entry.name}' has no snapshot called ${name}.`, {
    hint: names === '' ? 'It has none at all.' : `It has: ${names}.`,
  });
}

async function list(
  { client, signal }: Context,
  { name, provider, vm }: ReadyEntry,
): Promise<SnapshotOutput[]> {
  const snapshots = await client.vms.snapshots(provider, vm.id, { signal });
  return snapshots.map((one) => ({ vm: name, name: one.name, createdAt: one.createdAt }));
}

/** A name that sorts by time. */
function byTime(now: number): string {
  return `s-${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
}

/** @throws {GolemError} `usage` */
export function checked(name: string): string {
  const parsed = snapshotNameSchema.safeParse(name);
  if (parsed.success) return name;
  throw new GolemError(
    'usage',
    `'${name}' cannot be the name of a snapshot: ${parsed.error.issues[0]?.message}.`,
  );
}
