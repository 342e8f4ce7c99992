/** `golem vm key`: what somebody has to know to share a VM with this key. */
import { ownSshKey } from '../../state/ssh-keys.ts';
import type { Command } from '../command.ts';

interface OwnKeys {
  readonly requestor: string;
  readonly sshKey: string;
}

export const key: Command<OwnKeys> = {
  name: 'key',
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem vm key', 'golem vm key -o json'],

  async run({ client, paths }) {
    const [{ id }, { publicKey }] = await Promise.all([client.identity(), ownSshKey(paths)]);
    return { requestor: id, sshKey: publicKey };
  },
  present: ({ requestor, sshKey }) => ({
    lines: [`requestor ${requestor}`, `ssh key   ${sshKey}`],
    ids: [requestor],
    names: [requestor],
  }),
};
