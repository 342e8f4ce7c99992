/** `golem version`. */
import { ownVersion } from '../program/version.ts';
import type { LocalCommand } from './command.ts';

interface VersionOutput {
  readonly version: string;
  readonly node: string;
}

export const version: LocalCommand<VersionOutput> = {
  name: 'version',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem version', 'golem version -o json'],

  async run() {
    return { version: ownVersion(), node: process.versions.node };
  },
  present: ({ version: own }) => ({ lines: [`golem ${own}`], ids: [own], names: [own] }),
};
