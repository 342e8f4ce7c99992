/** `golem-provider id`: by this id requestors know the provider. */
import { readSetting } from '../config/config.ts';
import { openProviderIdentity } from '../identity/provider.ts';
import { command } from './command.ts';

export const id = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider id', 'golem-provider id -o json'],
  settings: ['data-dir'],
  options: [],
  run: async ({ flags }, { env }) => {
    const identity = await openProviderIdentity(readSetting('data-dir', flags, env));
    return { provider: identity.id, publicKey: identity.publicKey };
  },
  present: ({ provider }) => [provider],
});
