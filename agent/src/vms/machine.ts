/** The states that a VM passes through, as one table. Pure. */
import type { VmState } from '@vm-on-golem/shared/vm';

/** What the store keeps. `unknown` is no state of a VM but of what the hypervisor says of it. */
export type VmPhase = Exclude<VmState, 'unknown'>;

/**
 * - `start`, `stop`, `destroy`: a command of the owner
 * - `up`: the guest runs; `down`: it is stopped; `lost`: the hypervisor has no such guest
 * - `leftover`: what there is of it could not all be removed
 */
export type VmEvent = 'start' | 'stop' | 'destroy' | 'up' | 'down' | 'lost' | 'leftover' | 'gone';

/** `gone` is the end: the VM is forgotten, its name and its share are free. */
type Transitions = Readonly<Partial<Record<VmEvent, VmPhase | 'gone'>>>;

const TRANSITIONS: Readonly<Record<VmPhase, Transitions>> = {
  creating: { up: 'running', destroy: 'destroying', leftover: 'failed', gone: 'gone' },
  running: {
    stop: 'stopping',
    destroy: 'destroying',
    up: 'running',
    down: 'stopped',
    lost: 'failed',
  },
  stopped: {
    start: 'starting',
    destroy: 'destroying',
    up: 'running',
    down: 'stopped',
    lost: 'failed',
  },
  starting: { destroy: 'destroying', up: 'running', down: 'stopped', lost: 'failed' },
  stopping: { destroy: 'destroying', up: 'running', down: 'stopped', lost: 'failed' },
  destroying: { leftover: 'failed', gone: 'gone' },
  failed: {
    destroy: 'destroying',
    up: 'running',
    down: 'stopped',
    lost: 'failed',
    leftover: 'failed',
    gone: 'gone',
  },
};

export const VM_PHASES = Object.keys(TRANSITIONS) as VmPhase[];

/** @returns undefined when the state does not allow the event. */
export function transition(phase: VmPhase, event: VmEvent): VmPhase | 'gone' | undefined {
  return TRANSITIONS[phase][event];
}
