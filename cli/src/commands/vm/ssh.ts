/** `golem vm ssh`: the system's OpenSSH with `golem vm proxy` as its way through, or ssh2 without one. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { readForward } from '../../guest/forward/spec.ts';
import { launchSsh } from '../../openssh/launch.ts';
import { sshOptions } from '../../openssh/options.ts';
import { isSet, type Input, type LocalCommand, type Option } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { targetOf } from '../work/target.ts';

/** ssh's own, by ssh's own letters. */
const SSH_OPTIONS: readonly (Option & { readonly short: string })[] = [
  { name: 'tty', short: 't', summary: 'a terminal for the command' },
  { name: 'without-tty', short: 'T', summary: 'no terminal' },
  {
    name: 'local-forward',
    short: 'L',
    value: '[BIND:]PORT:HOST:PORT',
    summary: 'a port here that leads there',
    repeatable: true,
  },
  {
    name: 'remote-forward',
    short: 'R',
    value: '[BIND:]PORT:HOST:PORT',
    summary: 'a port there that leads here',
    repeatable: true,
  },
  {
    name: 'socks',
    short: 'D',
    value: '[BIND:]PORT',
    summary: 'a SOCKS proxy here whose connections the VM makes',
    repeatable: true,
  },
  { name: 'forward-agent', short: 'A', summary: 'your ssh-agent can be used from there' },
  { name: 'idle', short: 'N', summary: 'run nothing: only forward' },
  { name: 'x11', short: 'X', summary: 'windows of programs there appear here' },
  { name: 'compress', short: 'C', summary: 'compress what is sent' },
  { name: 'verbose', short: 'v', summary: 'ssh says what it does' },
];
/** What ssh2 does as well. */
const BUILT_IN = new Set(['tty', 'without-tty', 'local-forward', 'idle']);

export const ssh: LocalCommand<number> = {
  name: 'ssh',
  isLocal: true,
  usage: 'NAME [-- COMMAND...]',
  args: { min: 1, max: 1 },
  options: [
    ...SSH_OPTIONS,
    {
      name: 'ssh-option',
      value: 'NAME=VALUE',
      summary: 'as with ssh -o, such as ControlMaster=auto',
      repeatable: true,
    },
    { name: 'builtin', summary: 'without the OpenSSH of this machine' },
  ],
  examples: [
    'golem vm ssh web',
    'golem vm ssh web -- uname -a',
    'golem vm ssh -t web -- top',
    'golem vm ssh -N -L 8080:localhost:80 web',
  ],
  passesOn: true,

  async run(context, input) {
    const entry = await findReady(context, input.args[0] ?? '');
    if (!isSet(input, 'builtin')) {
      const options = sshOptions(await targetOf(context, entry));
      // ssh takes the first value that it is told: who is there cannot be chosen, all else can.
      const words = [
        ...wordsOf(options.filter(([name]) => IDENTITY.has(name))),
        ...sshWords(input),
        ...wordsOf(options),
      ];
      const command = [...words, '--', entry.vm.id, ...input.rest];
      const code = await launchSsh(command, context.streams.error);
      if (code !== undefined) return code;
    }
    for (const { name, short } of SSH_OPTIONS) {
      if (BUILT_IN.has(name) || !isSet(input, name)) continue;
      throw new GolemError('unsupported', `-${short} needs OpenSSH.`, {
        hint: 'Install it; Debian calls it openssh-client.',
      });
    }
    // ssh2 takes its time to load: whoever has OpenSSH does not wait for it.
    const { runBuiltin } = await import('../work/builtin.ts');
    const client = await context.openClient();
    return runBuiltin({ ...context, client }, entry, {
      words: input.rest,
      tty: isSet(input, 'without-tty') ? false : isSet(input, 'tty') ? true : undefined,
      forwards: (input.options['local-forward'] ?? []).map(readForward),
      isIdle: isSet(input, 'idle'),
    });
  },
  exitCode: (code) => code,
};

const IDENTITY = new Set([
  'HostKeyAlias',
  'UserKnownHostsFile',
  'GlobalKnownHostsFile',
  'StrictHostKeyChecking',
  'ProxyCommand',
]);

function wordsOf(options: readonly (readonly [name: string, value: string])[]): string[] {
  return options.flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function sshWords(input: Input): string[] {
  const words = SSH_OPTIONS.flatMap(({ name, short }) => {
    const values = input.options[name];
    if (!values) return [];
    return values.length === 0 ? [`-${short}`] : values.flatMap((value) => [`-${short}`, value]);
  });
  const more = (input.options['ssh-option'] ?? []).flatMap((value) => ['-o', value]);
  return [...words, ...more];
}
