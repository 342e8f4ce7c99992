/** Shows how far an operation is. */
import type { Stage } from '@vm-on-golem/shared/api';
import { elapsed } from '../../presenters/units.ts';
import type { Context } from '../command.ts';

const WORDS: Readonly<Record<Stage, string>> = {
  accepted: 'accepted by the provider',
  image: 'image: checking and fetching',
  disk: 'disk: creating',
  boot: 'boot: starting the machine',
  ssh: 'ssh: waiting for the first answer',
  ready: 'ready',
  shutdown: 'shutdown: asking the guest',
  stopped: 'stopped',
  save: 'save: writing the memory to the disk',
  suspended: 'suspended',
  change: 'change: the disk or the size',
  changed: 'changed',
  remove: 'remove: deleting disk and data',
  gone: 'gone',
  rollback: 'rollback: removing what was begun',
  failed: 'failed',
};
const LAST: ReadonlySet<Stage> = new Set([
  'ready',
  'stopped',
  'suspended',
  'changed',
  'gone',
  'failed',
]);

export function stageReporter(
  { progress, now }: Pick<Context, 'progress' | 'now'>,
  name: string,
  /** What a change of the disk or the size was, when it is done. */
  changed: string = WORDS.changed,
): (stage: Stage) => void {
  const started = now();
  return (stage) => {
    const words = stage === 'changed' ? changed : WORDS[stage];
    const line = () => `${name}: ${words} (${elapsed(now() - started)})`;
    progress(line, LAST.has(stage));
  };
}
