/** `golem vm accept`: takes up a VM that is shared, or that nothing proves to be one's own, under a name of one's own. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { providerIdSchema, vmIdSchema } from '@vm-on-golem/shared/ids';
import { vmNameSchema } from '@vm-on-golem/shared/vm';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { pinHostKey } from '../../openssh/known-hosts.ts';
import type { VmEntry } from '../../state/book.ts';
import { option, type Command } from '../command.ts';
import { vmOutput } from '../work/output.ts';

export const accept: Command<VmOutput> = {
  name: 'accept',
  usage: 'PROVIDER/VM',
  args: { min: 1, max: 1 },
  options: [
    { name: 'name', value: 'NAME', summary: "what to call it here; otherwise its owner's name" },
    {
      name: 'ssh-key',
      value: 'FILE',
      summary: 'private key that goes in; otherwise the one of golem vm key',
    },
  ],
  about: [
    "It takes up a VM that somebody shares with you, or one that 'golem vm list' shows with a question mark: its provider says that it is yours, and it has no proof that your key ordered it. Take up only what you know of: whoever runs it sees what you put into it.",
  ],
  examples: ['golem vm accept gp_.../vm_...', 'golem vm accept gp_.../vm_... --name her-web'],

  async run(context, input) {
    const { client, book, paths, signal, note } = context;
    const { provider, id } = readAddress(input.args[0] ?? '');
    const vm = await client.vms.get(provider, id, { signal });
    const name = option(input, 'name') ?? vm.name;
    if (!vmNameSchema.safeParse(name).success) {
      throw new GolemError('usage', `'${name}' cannot be the name of a VM.`);
    }
    const known = await book.get(name);
    if (known && (known.vm?.id !== vm.id || known.provider !== provider)) {
      throw new GolemError('vm_exists', `You have a VM called '${name}' already.`, {
        hint: 'Give it another name with --name.',
      });
    }
    const sshKey = option(input, 'ssh-key') ?? (await ownSshKey(paths)).file;
    const entry: VmEntry = { name, provider, vm, sshKey };
    await pinHostKey(paths, { provider, vm });
    await book.put(entry);
    note(`Go in with: golem vm ssh ${name}`);
    return vmOutput(entry);
  },
  present: vmDetails,
};

/** @throws {GolemError} `usage` */
export function readAddress(text: string): { provider: string; id: string } {
  const [provider = '', id = '', more] = text.split('/');
  const isAddress =
    more === undefined &&
    providerIdSchema.safeParse(provider).success &&
    vmIdSchema.safeParse(id).success;
  if (isAddress) return { provider, id };
  throw new GolemError('usage', `'${text}' does not name a VM of a provider.`, {
    hint: "It is gp_.../vm_..., as 'golem vm share' prints it to its owner.",
  });
}
