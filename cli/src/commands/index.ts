/** All commands by group and word. Each is loaded when it is called, so that starting stays quick. */
import type { Group, Section } from './command.ts';
import { BOOKS } from './tables/books.ts';
import { INSIDE } from './tables/inside.ts';
import { LIFE } from './tables/life.ts';
import { CONFIG, CONTEXT, KEY, OWN } from './tables/own.ts';
import { PROGRAM } from './tables/program.ts';
import { RENT } from './tables/rent.ts';
import { SHARING } from './tables/sharing.ts';

export const GROUPS: Readonly<Record<string, Group>> = {
  vm: {
    summary: 'rent VMs and go into them',
    examples: ['golem vm providers', 'golem vm create web', 'golem vm ssh web'],
    sections: [
      { title: 'Renting', commands: RENT },
      { title: 'Running', commands: LIFE },
      { title: 'Going in', commands: INSIDE },
      { title: 'Costs', commands: BOOKS },
      { title: 'Sharing', commands: SHARING },
    ],
  },
  key: {
    summary: 'the key that owns your VMs',
    examples: ['golem key show', 'golem key backup golem-key.age'],
    sections: [{ title: 'Commands', commands: KEY }],
  },
  config: {
    summary: 'settings',
    examples: ['golem config list', 'golem config set discovery https://discovery.example'],
    sections: [{ title: 'Commands', commands: CONFIG }],
  },
  context: {
    summary: 'several discovery services or keys, side by side',
    examples: ['golem context list', 'golem context use work'],
    sections: [{ title: 'Commands', commands: CONTEXT }],
  },
};

/** Commands that come straight after `golem`. */
export const TOP: Section = { title: 'Commands', commands: { ...OWN, ...PROGRAM } };

/** What a newcomer types first. */
export const FIRST_EXAMPLES = ['golem vm providers', 'golem vm create web', 'golem vm ssh web'];
