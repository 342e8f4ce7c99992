/** `golem vm ssh-config`: makes scp, sftp, rsync, git and editors reach a VM by its name. */
import { sshOptions } from '../../openssh/options.ts';
import type { LocalCommand } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { targetOf } from '../work/target.ts';

interface SshConfig {
  readonly host: string;
  readonly options: Readonly<Record<string, string>>;
}

export const sshConfig: LocalCommand<SshConfig> = {
  name: 'ssh-config',
  isLocal: true,
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem vm ssh-config web > web.conf && scp -F web.conf file web:'],

  async run(context, { args: [reference = ''] }) {
    const entry = await findReady(context, reference);
    return {
      host: entry.name,
      options: Object.fromEntries(sshOptions(await targetOf(context, entry))),
    };
  },
  present: ({ host, options }) => ({
    lines: [
      `Host ${host}`,
      ...Object.entries(options).map(([name, value]) => `  ${name} ${value}`),
    ],
  }),
};
