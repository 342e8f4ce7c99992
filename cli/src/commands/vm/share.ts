/** `golem vm share` and `golem vm unshare`: lets another key into a VM, and takes that back. */
import { readFile } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { requestorIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { sshPublicKeySchema } from '@vm-on-golem/shared/vm';
import type { Grants } from '@vm-on-golem/shared/vm-commands';
import { keyFor, noKeyFor, SET_KEY } from '../../guest/authorized.ts';
import type { View } from '../../presenters/view.ts';
import { option, type Command, type Context, type Input } from '../command.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';
import { runInGuest } from '../work/remote.ts';

interface Shared {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly requestor: string;
}

/** Whom a VM is shared with already. */
type Granted = Grants['grants'];

const WITH = {
  name: 'with',
  value: 'GR_ID',
  summary: 'whose key: golem vm key prints it',
} as const;

export const share: Command<Shared | Granted> = {
  name: 'share',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [
    WITH,
    { name: 'ssh-key', value: 'FILE|LINE', summary: 'the SSH key that they go in with' },
  ],
  examples: [
    "golem vm share web --with gr_... --ssh-key 'ssh-ed25519 AAAA...'",
    'golem vm share web',
  ],
  about: ['Without options it says whom the VM is shared with.'],

  async run(context, input) {
    if (option(input, 'with') === undefined && option(input, 'ssh-key') === undefined) {
      return granted(context, input.args[0] ?? '');
    }
    const requestor = readRequestor(input);
    const sshKey = await readKey(option(input, 'ssh-key'));
    const entry = await findReady(context, input.args[0] ?? '');
    const { client, signal, note } = context;
    await client.grants.give(entry.provider, entry.vm.id, { requestor, sshKey }, { signal });
    const why = await setKey(context, entry, keyFor(requestor, sshKey));
    if (why) {
      throw new GolemError(
        why.code,
        `The provider lets ${requestor} through to '${entry.name}', but their SSH key is not in it yet: ${why.message}`,
        { hint: `When '${entry.name}' answers, give the same command again.`, cause: why },
      );
    }
    note(`They go in with: golem vm accept ${entry.provider}/${entry.vm.id}`);
    return sharedOf(entry, requestor);
  },
  present: (data) =>
    'requestor' in data ? { lines: [], ids: [data.id], names: [data.name] } : grantTable(data),
};

async function granted({ client, signal, book }: Context, reference: string): Promise<Granted> {
  const { provider, vm } = await findReady({ book }, reference);
  return (await client.grants.list(provider, vm.id, { signal })).grants;
}

function grantTable(grants: Granted): View {
  return {
    table: {
      columns: [{ title: 'WITH' }, { title: 'SINCE' }, { title: 'SSH KEY' }],
      rows: grants.map(({ requestor, grantedAt, sshKey }) => [requestor, grantedAt, sshKey]),
      empty: 'It is shared with nobody.',
    },
    ids: grants.map(({ requestor }) => requestor),
  };
}

export const unshare: Command<Shared> = {
  name: 'unshare',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [WITH],
  examples: ['golem vm unshare web --with gr_...'],

  async run(context, input) {
    const requestor = readRequestor(input);
    const entry = await findReady(context, input.args[0] ?? '');
    // First what shuts them out: the guest is theirs as well, and may keep its owner waiting.
    const wasShared = await takeBack(context, entry, requestor);
    const why = await setKey(context, entry, noKeyFor(requestor));
    if (why) {
      throw new GolemError(
        why.code,
        `The provider lets ${requestor} into '${entry.name}' no more, but their SSH key is still in it: ${why.message}`,
        {
          hint: `Remove the line that ends with golem-share:${requestor} from ~/.ssh/authorized_keys in '${entry.name}'.`,
          cause: why,
        },
      );
    }
    const done = wasShared ? 'is shared no more' : 'was not shared';
    context.note(`${entry.name}: ${done} with ${requestor}`);
    return sharedOf(entry, requestor);
  },
  present: ({ id, name }) => ({ lines: [], ids: [id], names: [name] }),
};

/** @returns false when it was taken back before, or never given */
async function takeBack(context: Context, entry: ReadyEntry, requestor: string): Promise<boolean> {
  const { client, signal } = context;
  try {
    await client.grants.takeBack(entry.provider, entry.vm.id, requestor, { signal });
    return true;
  } catch (error) {
    if (error instanceof GolemError && error.code === 'not_found') return false;
    throw error;
  }
}

/** @returns why it could not be done */
async function setKey(
  context: Context,
  entry: ReadyEntry,
  input: string,
): Promise<GolemError | undefined> {
  const { client, signal } = context;
  try {
    const { state } = await client.vms.get(entry.provider, entry.vm.id, { signal });
    if (state !== 'running') return new GolemError('wrong_state', `it is ${state}.`);
    await runInGuest(context, entry, SET_KEY, input);
    return undefined;
  } catch (error) {
    if (!(error instanceof GolemError) || error.code === 'interrupted') throw error;
    return error;
  }
}

function sharedOf({ name, provider, vm }: ReadyEntry, requestor: string): Shared {
  return { id: vm.id, name, provider, requestor };
}

function readRequestor(input: Input): string {
  const text = option(input, 'with');
  if (text === undefined) throw new GolemError('usage', 'With whom? Say --with gr_...');
  if (requestorIdSchema.safeParse(text).success) return text;
  throw new GolemError('usage', `'${text}' is not the id of a requestor.`, {
    hint: "It is gr_ and 26 letters and digits; they print theirs with 'golem vm key'.",
  });
}

/** @param given the line itself, or a file that has it */
async function readKey(given: string | undefined): Promise<string> {
  if (given === undefined) throw new GolemError('usage', 'With which SSH key? Say --ssh-key.');
  if (sshPublicKeySchema.safeParse(given.trim()).success) return given.trim();
  const text = await readFile(given, 'utf8').catch((cause: unknown) => {
    throw new GolemError(
      'usage',
      `'${given}' is no OpenSSH public key, and no file that can be read.`,
      {
        cause,
      },
    );
  });
  const line = text.trim();
  if (line.length <= LIMITS.vm.sshKeyBytes && sshPublicKeySchema.safeParse(line).success) {
    return line;
  }
  throw new GolemError('usage', `${given} is not an OpenSSH public key.`, {
    hint: 'It usually ends with .pub.',
  });
}
