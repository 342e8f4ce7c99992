/** What a test puts in the way of memory guests. */
import type { LaunchStage } from '../driver.ts';

export type BootFault = (vmId: string, stage: LaunchStage, signal: AbortSignal) => Promise<void>;
type StepFault = (vmId: string) => Promise<void>;

/**
 * Each is awaited before the step that it is named for; what it throws, the driver throws. One that
 * waits must stop when its signal aborts.
 */
export interface MemoryFaults {
  /** At the beginning of each stage. The record of the guest exists already. */
  readonly launch?: BootFault;
  readonly start?: BootFault;
  readonly stop?: StepFault;
  readonly suspend?: StepFault;
  /** Before a snapshot is taken, restored or forgotten, and before a guest gets another size. */
  readonly change?: StepFault;
  readonly destroy?: StepFault;
  readonly inspect?: StepFault;
  readonly dial?: StepFault;
}
