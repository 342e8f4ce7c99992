/** `golem key show`: what somebody has to know to share a VM with this key, and how the key is. */
import { openIdentity } from '@vm-on-golem/shared/keys';
import { loadIdentity } from '../../state/identity.ts';
import { readRotation, retiredKeys, waitingFor } from '../../state/rotation.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import type { LocalCommand } from '../command.ts';

interface OwnKeys {
  readonly requestor: string;
  /** OpenSSH line. */
  readonly sshKey: string;
  readonly keyFile: string;
  readonly sshKeyFile: string;
  /** Null unless VMs are on their way from the key before this one. */
  readonly rotation: {
    readonly previous: string;
    readonly startedAt: string;
    readonly waitingFor: readonly string[];
  } | null;
  /** Files of keys that owned VMs once. */
  readonly retired: readonly string[];
}

export const show: LocalCommand<OwnKeys> = {
  name: 'show',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem key show', 'golem key show -o json', 'golem vm key'],

  async run({ paths }) {
    const [{ id }, { publicKey, file }] = await Promise.all([
      loadIdentity(paths.key),
      ownSshKey(paths),
    ]);
    const rotation = readRotation(paths);
    return {
      ...{ requestor: id, sshKey: publicKey, keyFile: paths.key, sshKeyFile: file },
      rotation: rotation
        ? {
            previous: (await openIdentity('requestor', rotation.previous)).id,
            ...{ startedAt: rotation.startedAt, waitingFor: waitingFor(rotation) },
          }
        : null,
      retired: retiredKeys(paths),
    };
  },
  present: ({ requestor, sshKey, keyFile, sshKeyFile, rotation, retired }) => ({
    facts: [
      ['requestor', requestor],
      ['ssh key', sshKey],
      ['key file', keyFile],
      ['ssh file', sshKeyFile],
      // Typed by whoever shares a VM with this key.
      ['to share', `golem vm share NAME --with ${requestor} --ssh-key '${sshKey}'`],
      ...(rotation
        ? [
            [
              'rotation',
              `since ${rotation.startedAt}; waits for ${rotation.waitingFor.join(', ')}`,
            ] as const,
          ]
        : []),
      ...retired.map((file) => ['retired', file] as const),
    ],
    ids: [requestor],
    names: [requestor],
  }),
};
