/** Owners who keep their VMs for longer. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { RenewVm } from '@vm-on-golem/shared/vm-commands';
import type { Answer, Command, CommandLog } from './command-log.ts';
import type { Directory } from './directory.ts';
import type { Intent, Intents } from './intents.ts';
import type { LeaseClock } from './leases/clock.ts';
import { isSettled } from './leases/plan.ts';
import type { OperatorMode } from './mode.ts';
import { checkServed, type Policy } from './policy.ts';
import type { Recorder } from './recorder.ts';
import { keptBeyond, type VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';

export interface RenewalsOptions {
  readonly recorder: Recorder;
  readonly commandLog: CommandLog;
  readonly directory: Directory;
  readonly intents: Intents;
  readonly recovery: Pick<Recovery, 'isUnknown'>;
  readonly leaseClock: LeaseClock;
  readonly mode: OperatorMode;
  readonly policy: () => Policy;
  /** Milliseconds. */
  readonly leaseMillis: number;
  readonly leaseMaxMillis: number;
  readonly leaseGraceMillis: number;
}

export class Renewals {
  readonly #options: RenewalsOptions;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  /**
   * A lease from now on, that ends no sooner than the one that there is. A VM that was stopped as its lease had ended, and ran, is started again.
   * @throws {GolemError} `invalid_request` for a lease that is too long; `draining`, `forbidden`, `wrong_state`
   */
  renew(command: Command, ref: string, { seconds }: RenewVm): Answer {
    const { commandLog, directory, intents } = this.#options;
    directory.recognise(command.owner, ref);
    let begun: Intent | undefined;
    const answer = commandLog.once(command, () => {
      const vm = directory.find(command.owner, ref);
      const renewed = this.#renew(vm, seconds);
      if (vm.hold?.ran && !renewed.hold && renewed.phase === 'stopped') {
        begun = intents.begin(renewed, 'start', { actor: 'owner' });
      }
      return { status: 200, body: JSON.stringify({ vm: directory.show(begun?.vm ?? renewed) }) };
    });
    if (begun) intents.carryOut(begun);
    return answer;
  }

  #renew(vm: VmRecord, seconds: number | undefined): VmRecord {
    const { recorder, leaseClock, mode, recovery } = this.#options;
    const { leaseMillis, leaseMaxMillis, leaseGraceMillis } = this.#options;
    checkServed(this.#options.policy(), vm.owner);
    if (vm.removing) throw new GolemError('wrong_state', 'The VM is being removed.');
    if (vm.hold?.why === 'drain') {
      throw new GolemError('draining', 'The provider has stopped its VMs and renews no lease.');
    }
    const millis = seconds === undefined ? leaseMillis : seconds * 1000;
    if (millis > leaseMaxMillis) {
      throw new GolemError('invalid_request', 'The lease would be too long.', {
        hint: `This provider gives leases of up to ${lifeText(leaseMaxMillis)} at a time.`,
      });
    }
    const now = leaseClock.now();
    const { current } = mode;
    const end = current.kind === 'draining' ? leaseClock.fromWall(current.by) : Infinity;
    // A provider that stops at a time promises nothing beyond it, but takes no promise back either.
    const leaseUntil = Math.max(now, vm.leaseUntil ?? 0, Math.min(now + millis, end));
    const message = `Until ${new Date(leaseClock.toWall(leaseUntil)).toISOString()}.`;
    recorder.happened({ vmId: vm.id, kind: 'lease.renewed', by: 'owner', message });
    const hold =
      vm.hold && (!isSettled(vm) || recovery.isUnknown(vm.id))
        ? keptBeyond(vm.hold, leaseUntil + leaseGraceMillis)
        : null;
    return recorder.update(vm.id, { leaseUntil, hold }) ?? vm;
  }
}

/** In the largest unit that it is a whole number of, as it is written for `--for`. */
function lifeText(millis: number): string {
  const seconds = Math.floor(millis / 1000);
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}
