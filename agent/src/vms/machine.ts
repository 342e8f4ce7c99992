/** The states that a VM passes through, as one table. Pure. */
import type { VmState } from '@vm-on-golem/shared/vm';

/** What the store keeps. `unknown` is no state of a VM but of what the hypervisor says of it. */
export type VmPhase = Exclude<VmState, 'unknown'>;

/**
 * Whether the guest of a VM takes processors and memory: `booting` from when the hypervisor is asked to boot it,
 * `on` from when it is known to run, `off` from when it is known to have ended.
 */
export const POWERS = ['off', 'booting', 'on'] as const;
export type VmPower = (typeof POWERS)[number];

/**
 * - `start`, `stop`, `restart`, `suspend`, `change`, `destroy`: a command of the owner, or of the agent for them
 * - `boot`: the agent starts it again, as it ran when the host went down
 * - `up`: the guest runs; `down`: it is stopped; `saved`: it is suspended; `lost`: the hypervisor has no
 *   such guest
 * - `leftover`: what there is of it could not all be removed
 */
export type VmEvent =
  | 'start'
  | 'stop'
  | 'restart'
  | 'suspend'
  | 'change'
  | 'destroy'
  | 'boot'
  | 'up'
  | 'down'
  | 'saved'
  | 'lost'
  | 'leftover'
  | 'gone';

/** `gone` is the end: the VM is forgotten, its name and its share are free. */
type Transitions = Readonly<Partial<Record<VmEvent, VmPhase | 'gone'>>>;

/** Whatever a VM was taken for, the hypervisor knows better. */
const SEEN = { up: 'running', down: 'stopped', saved: 'suspended', lost: 'failed' } as const;

const TRANSITIONS: Readonly<Record<VmPhase, Transitions>> = {
  creating: { up: 'running', destroy: 'destroying', leftover: 'failed', gone: 'gone' },
  running: {
    ...SEEN,
    boot: 'starting',
    restart: 'starting',
    stop: 'stopping',
    suspend: 'suspending',
    destroy: 'destroying',
  },
  stopped: { ...SEEN, start: 'starting', change: 'changing', destroy: 'destroying' },
  suspended: { ...SEEN, start: 'starting', stop: 'stopping', destroy: 'destroying' },
  starting: { ...SEEN, destroy: 'destroying' },
  stopping: { ...SEEN, destroy: 'destroying' },
  suspending: { ...SEEN, destroy: 'destroying' },
  changing: { ...SEEN, destroy: 'destroying' },
  destroying: { leftover: 'failed', gone: 'gone' },
  failed: { ...SEEN, destroy: 'destroying', leftover: 'failed', gone: 'gone' },
};

export const VM_PHASES = Object.keys(TRANSITIONS) as VmPhase[];

/** What an event says of the guest's power; undefined when that stays as it is: who is told to stop still runs. */
export function powerAfter(event: VmEvent): VmPower | undefined {
  if (event === 'up') return 'on';
  // It is booted because it was found stopped.
  const isOff = event === 'down' || event === 'saved' || event === 'lost' || event === 'boot';
  return isOff ? 'off' : undefined;
}

/** @returns undefined when the state does not allow the event. */
export function transition(phase: VmPhase, event: VmEvent): VmPhase | 'gone' | undefined {
  return TRANSITIONS[phase][event];
}
