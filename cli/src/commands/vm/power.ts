/** `golem vm start`, `stop`, `restart`, `suspend` and `resume`. */
import { lifeCommand } from '../work/life.ts';

export const start = lifeCommand({
  ...{ name: 'start', command: 'start', undo: 'stop', target: 'running' },
  examples: ['golem vm start web', 'golem vm start --all'],
});

export const stop = lifeCommand({
  ...{ name: 'stop', command: 'stop', undo: 'start', target: 'stopped' },
  examples: ['golem vm stop web', 'golem vm stop --label kind=ci --no-wait'],
});

export const restart = lifeCommand({
  ...{ name: 'restart', command: 'restart' },
  examples: ['golem vm restart web'],
});

export const suspend = lifeCommand({
  ...{ name: 'suspend', command: 'suspend', undo: 'resume', target: 'suspended' },
  examples: ['golem vm suspend web'],
});

/** A start lets a suspended VM go on where it was; and boots one that is stopped, which is not meant here. */
export const resume = lifeCommand({
  ...{ name: 'resume', command: 'start', undo: 'suspend' },
  ...{ target: 'running', from: 'suspended' },
  examples: ['golem vm resume web'],
});
