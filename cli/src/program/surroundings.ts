/** What a page of the manual says about everything around the commands. */
import type { EXIT } from '@vm-on-golem/shared/errors';

export const VARIABLES: readonly (readonly [name: string, text: string])[] = [
  ['GOLEM_DISCOVERY', 'URL of the discovery service (http://127.0.0.1:8787).'],
  ['GOLEM_CONTEXT', 'The context to use, as with --context.'],
  ['GOLEM_HOME', 'One folder for the key, the settings and the state, instead of those of XDG.'],
  [
    'GOLEM_UPDATE_URL',
    'Where golem version asks for the newest version: JSON with a field version. None: it asks nobody.',
  ],
  ['GOLEM_DEBUG', '1 shows requests, as --debug does.'],
  ['GOLEM_RELAY_GRACE', 'How long a lost SSH connection is waited for, in seconds.'],
  ['GOLEM_RELAY_WINDOW', 'Most bytes of an SSH connection that are under way.'],
  ['NO_COLOR', 'No colours.'],
  ['CLICOLOR_FORCE', 'Colours even where there is no terminal.'],
  ['XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_CACHE_HOME', 'Where files are kept.'],
];

export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'it worked',
  failure: 'it failed',
  usage: 'the command line or the request is wrong',
  notFound: 'there is no such thing',
  denied: 'it is not allowed, or cannot be trusted',
  conflict: 'something else is in the way',
  noCapacity: 'nobody offers this, or not at that price',
  unreachable: 'somebody cannot be reached',
  timeout: 'it takes longer than that',
  rateLimited: 'too many requests',
  interrupted: 'stopped by Ctrl-C',
  transport: 'the connection to the VM broke; as with ssh',
};
