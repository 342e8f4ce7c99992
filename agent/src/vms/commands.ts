/** What an owner has done with a VM that is there. What is accepted is in the store before it is answered. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { fits, type Resources } from '@vm-on-golem/shared/vm';
import type { ResizeVm, StopVm } from '@vm-on-golem/shared/vm-commands';
import type { Capability, Driver } from '../drivers/driver.ts';
import { agreePrice, checkMemory, checkSize, type OfferedImage } from './admission.ts';
import { checkGrowth } from './allocation.ts';
import type { Answer, Command, CommandLog } from './command-log.ts';
import type { Directory } from './directory.ts';
import { sayDriver } from './failures.ts';
import {
  mayBegin,
  wrongState,
  type Intent,
  type IntentKind,
  type Intents,
  type Wish,
} from './intents.ts';
import { checkGrowthShare, type Policy } from './policy.ts';
import type { VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import type { Store } from './store/store.ts';

export interface CommandsOptions {
  readonly prices: () => Prices;
  readonly policy: () => Policy;
  readonly images: { list(): readonly OfferedImage[] };
  readonly store: Store;
  readonly commandLog: CommandLog;
  readonly directory: Directory;
  readonly intents: Intents;
  readonly recovery: Pick<Recovery, 'isUnknown'>;
  readonly driver: Pick<Driver, 'name' | 'capabilities' | 'snapshots'>;
  /** The smallest VM that is rented. */
  readonly minimum: () => Resources;
  /** Has what is available measured, before it is given away. */
  readonly refresh?: () => Promise<void>;
  /** What VMs have room in beyond what they have. */
  readonly available: () => Amounts;
  /** Why nothing more is given at the moment. */
  readonly closed: () => string | undefined;
}

/** What it takes to begin an operation; throws when it cannot be. */
type Plan = (vm: VmRecord) => Pick<Wish, 'args' | 'change'>;

export class VmCommands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** A suspended VM goes on where it was. */
  start(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'start');
  }

  stop(command: Command, ref: string, request: StopVm = {}): Answer {
    return this.#command(command, ref, 'stop', () => graceOf(request));
  }

  restart(command: Command, ref: string, request: StopVm = {}): Answer {
    return this.#command(command, ref, 'restart', () => graceOf(request));
  }

  suspend(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'suspend');
  }

  /** Whatever is being done with the VM is broken off; a second destroy joins the first. */
  destroy(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'destroy');
  }

  /** Until it has ended the larger of both sizes is taken. */
  async resize(command: Command, ref: string, request: ResizeVm): Promise<Answer> {
    const { prices, policy, images, store, available, closed } = this.#options;
    const { commandLog, directory, minimum, refresh } = this.#options;
    const { resources } = request;
    if (!commandLog.answerTo(command)) {
      const vm = directory.find(command.owner, ref);
      if (mayBegin(vm, 'resize') && !fits(vm.resources, resources)) await refresh?.();
    }
    return this.#command(command, ref, 'resize', (vm) => {
      if (resources.storageGiB < vm.resources.storageGiB) {
        throw new GolemError(
          'invalid_request',
          `The disk has ${vm.resources.storageGiB} GiB, and disks only grow.`,
        );
      }
      checkSize(smaller(minimum(), vm.resources), resources);
      const image = images.list().find(({ id }) => id === vm.image);
      if (image) checkMemory(image, resources);
      const price = agreePrice(prices(), request);
      const why = fits(vm.resources, resources) ? undefined : closed();
      if (why !== undefined) throw new GolemError('draining', why);
      checkGrowthShare(policy(), vm, resources, store.vms.holdings());
      checkGrowth(available(), vm.resources, resources);
      return { args: { resources, ...price }, change: { growing: resources } };
    });
  }

  async snapshot(command: Command, ref: string, name: string): Promise<Answer> {
    return this.#withSnapshots(command, ref, 'snapshot', name, (names) => {
      if (names.includes(name)) {
        throw new GolemError('wrong_state', `The VM has a snapshot called ${name} already.`);
      }
      if (names.length < LIMITS.vm.snapshots) return;
      throw new GolemError('wrong_state', `The VM has ${names.length} snapshots already.`, {
        hint: 'Delete one first.',
      });
    });
  }

  /** What the disk holds now is lost. */
  async restore(command: Command, ref: string, name: string): Promise<Answer> {
    return this.#withSnapshots(command, ref, 'restore', name, (names) => {
      checkThere(names, name);
    });
  }

  async deleteSnapshot(command: Command, ref: string, name: string): Promise<Answer> {
    return this.#withSnapshots(command, ref, 'delete-snapshot', name, (names) => {
      checkThere(names, name);
    });
  }

  async #withSnapshots(
    command: Command,
    ref: string,
    kind: 'snapshot' | 'restore' | 'delete-snapshot',
    name: string,
    check: (names: readonly string[]) => void,
  ): Promise<Answer> {
    const { commandLog, directory, driver } = this.#options;
    if (!commandLog.answerTo(command)) {
      const vm = directory.find(command.owner, ref);
      this.#checkAllowed(vm, kind);
      if (!mayBegin(vm, kind)) throw wrongState(vm, kind);
      const snapshots = await driver.snapshots(vm.id).catch((error: unknown) => {
        throw sayDriver(error);
      });
      check(snapshots.map(({ name }) => name));
    }
    return this.#command(command, ref, kind, () => ({ args: { snapshot: name } }));
  }

  #command(command: Command, ref: string, kind: IntentKind, plan: Plan = () => ({})): Answer {
    const { store, commandLog, directory, intents } = this.#options;
    directory.recognise(command.owner, ref);
    let begun: Intent | undefined;
    const once = (work: () => Answer) =>
      ENDS.has(kind) ? commandLog.onceAtLeast(command, work) : commandLog.once(command, work);
    const answer = once(() => {
      const vm = directory.find(command.owner, ref);
      const removal = kind === 'destroy' ? store.operations.removal(vm.id) : undefined;
      if (removal) return directory.accepted(removal.id, vm);
      this.#checkAllowed(vm, kind);
      if (!mayBegin(vm, kind)) throw wrongState(vm, kind);
      begun = intents.begin(vm, kind, { actor: 'owner', ...plan(vm) });
      return directory.accepted(begun.operation.id, begun.vm);
    });
    if (begun) intents.carryOut(begun);
    return answer;
  }

  #checkAllowed(vm: VmRecord, kind: IntentKind): void {
    const { driver, recovery } = this.#options;
    const needed = NEEDS[kind];
    if (needed !== undefined && !driver.capabilities.has(needed)) {
      throw new GolemError('unsupported', `This provider's VMs cannot be ${PAST[needed]}.`);
    }
    if (recovery.isUnknown(vm.id)) {
      throw new GolemError('wrong_state', 'The hypervisor cannot say what the VM does.', {
        hint: 'Nothing was changed. Try again in a minute.',
      });
    }
    if (vm.hold && (kind === 'start' || kind === 'restart')) throw heldError(vm.hold.why);
  }
}

function graceOf({ graceSeconds }: StopVm): ReturnType<Plan> {
  return graceSeconds === undefined ? {} : { args: { graceMillis: graceSeconds * 1000 } };
}

/** What owners can always do: it gives something back. */
const ENDS: ReadonlySet<IntentKind> = new Set(['stop', 'destroy']);

/** VMs that are smaller already than what is rented now may stay so. */
function smaller(one: Resources, other: Resources): Resources {
  return {
    cpus: Math.min(one.cpus, other.cpus),
    memoryMiB: Math.min(one.memoryMiB, other.memoryMiB),
    storageGiB: Math.min(one.storageGiB, other.storageGiB),
  };
}

function checkThere(names: readonly string[], name: string): void {
  if (names.includes(name)) return;
  throw new GolemError('not_found', `The VM has no snapshot called ${name}.`, {
    hint: names.length > 0 ? `It has: ${names.join(', ')}.` : 'It has none at all.',
  });
}

const NEEDS: Readonly<Partial<Record<IntentKind, Capability>>> = {
  suspend: 'suspend',
  resize: 'resize',
  snapshot: 'snapshot',
  restore: 'snapshot',
  'delete-snapshot': 'snapshot',
};

const PAST: Readonly<Record<Capability, string>> = {
  suspend: 'suspended',
  resize: 'resized',
  snapshot: 'kept in snapshots',
  clone: 'cloned',
};

function heldError(why: 'lease' | 'drain'): GolemError {
  if (why === 'drain') {
    return new GolemError('draining', 'The provider has stopped its VMs and starts none.', {
      hint: 'The disk is kept for a while: see the notice of the VM.',
    });
  }
  return new GolemError('wrong_state', 'The lease of the VM has ended.', {
    hint: 'Renew it: that starts it again.',
  });
}
