/** `golem vm ssh-config`: makes ssh, scp, rsync, git and editors reach VMs by their names. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { hostLines, type SshHost } from '../../openssh/config-file.ts';
import {
  exclude,
  include,
  isIncluded,
  ownConfigFile,
  removeHosts,
  userConfigFile,
  writeHosts,
} from '../../openssh/installed.ts';
import { isSet, type LocalCommand, type LocalContext } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { allHosts, hostOf } from '../work/hosts.ts';

export const sshConfig: LocalCommand<SshHost | readonly SshHost[]> = {
  name: 'ssh-config',
  isLocal: true,
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [
    { name: 'install', summary: 'keep it in a file that your ~/.ssh/config includes' },
    { name: 'remove', summary: 'undo that' },
  ],
  examples: [
    'golem vm ssh-config --install && scp file web:',
    'golem vm ssh-config web > web.conf && rsync -e "ssh -F web.conf" -a site/ web:site/',
    'golem vm ssh-config --remove',
  ],
  about: [
    'With --install all VMs are in a file of their own, which is kept up to date as VMs come and go, and one ' +
      'line at the top of ~/.ssh/config includes it. You are asked before that line is written.',
    'A VM of another context than the standard one is NAME.CONTEXT for them, and NAME as well where no other ' +
      'context has one of that name.',
  ],

  async run(context, input) {
    const [reference] = input.args;
    const [installs, removes] = [isSet(input, 'install'), isSet(input, 'remove')];
    if ((installs && removes) || ((installs || removes) && reference !== undefined)) {
      throw new GolemError('usage', 'One of --install, --remove or a NAME is enough.');
    }
    if (removes) return remove(context);
    if (installs) return install(context);
    return reference === undefined
      ? allHosts(context)
      : hostOf(context, await findReady(context, reference));
  },
  present: (hosts) => ({
    lines: [hosts].flat().flatMap(hostLines),
    names: [hosts].flat().map(({ host }) => host),
  }),
};

async function install(context: LocalContext): Promise<readonly SshHost[]> {
  const { paths, home, confirm, note } = context;
  const user = userConfigFile(context.env['HOME']);
  const file = ownConfigFile(paths, home.context.value);
  if (!(await isIncluded(paths, user))) {
    if (!(await confirm(`Add a line to ${user} that includes ${file}?`))) {
      throw new GolemError('needs_input', `Nothing was changed: ${user} is yours.`, {
        hint: 'Agree with --yes, or print it with: golem vm ssh-config',
      });
    }
    await include(paths, user);
  }
  const hosts = await writeHosts(file, await allHosts(context));
  const names = hosts.map(({ host }) => host).join(', ');
  note(`ssh, scp, rsync and git know your VMs by name now${names && `: ${names}`}.`);
  return [];
}

async function remove({ paths, home, env, note }: LocalContext) {
  const user = userConfigFile(env['HOME']);
  await exclude(paths, user);
  await removeHosts(ownConfigFile(paths, home.context.value));
  note(`${user} includes nothing of golem any more.`);
  return [];
}
