/** `golem version`. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { ownVersion, UPDATE_VARIABLE } from '../program/version.ts';
import type { LocalCommand } from './command.ts';

interface VersionOutput {
  readonly version: string;
  readonly node: string;
  /** The newest there is, where somebody was asked and it is newer than this one. */
  readonly newer: string | null;
}

export const version: LocalCommand<VersionOutput> = {
  name: 'version',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem version', 'golem version -o json'],
  about: [
    `Asks nobody whether there is a newer one, unless ${UPDATE_VARIABLE} says whom: a URL that gives JSON with a field version. What it says is a notice, and no answer is no failure.`,
  ],

  async run({ env, signal, note }) {
    const own = ownVersion();
    const source = env[UPDATE_VARIABLE];
    let newer: string | null = null;
    if (source) {
      const { newerVersion } = await import('../program/update.ts');
      try {
        newer = (await newerVersion(source, own, signal)) ?? null;
      } catch (error) {
        if (!(error instanceof GolemError) || error.code === 'interrupted') throw error;
        note(`golem: ${error.message}`);
      }
      if (newer !== null) note(`golem: ${newer} is there; this is ${own}.`);
    }
    return { version: own, node: process.versions.node, newer };
  },
  present: ({ version: own }) => ({ lines: [`golem ${own}`], ids: [own], names: [own] }),
};
