/** Names for VMs that were given none. */
import { randomInt } from 'node:crypto';

const FIRST = [
  'amber',
  'brave',
  'calm',
  'dusty',
  'eager',
  'fuzzy',
  'gentle',
  'happy',
  'icy',
  'jolly',
  'kind',
  'lucky',
  'merry',
  'noble',
  'quiet',
  'rapid',
  'sunny',
  'tidy',
  'vivid',
  'witty',
];
const SECOND = [
  'badger',
  'crane',
  'dolphin',
  'eagle',
  'falcon',
  'gecko',
  'heron',
  'ibex',
  'jackal',
  'koala',
  'lynx',
  'marten',
  'newt',
  'otter',
  'panda',
  'raven',
  'seal',
  'tapir',
  'wombat',
  'yak',
];

/** @returns a name that is not in `taken` */
export function inventName(
  taken: ReadonlySet<string>,
  random: (below: number) => number = randomInt,
): string {
  for (let number = 1; ; number += 1) {
    const pair = `${FIRST[random(FIRST.length)]}-${SECOND[random(SECOND.length)]}`;
    const name = number < 10 ? pair : `${pair}-${number}`;
    if (!taken.has(name)) return name;
  }
}
