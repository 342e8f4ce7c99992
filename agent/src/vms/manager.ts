/**
 * The rules by which VMs are rented: who may do what, what it costs, whether there is room. Whatever
 * it accepts is in the store before it answers.
 */
import type { Duplex } from 'node:stream';
import type {
  Accepted,
  CreateVm,
  OperationPage,
  VmsPage,
  vmsQuerySchema,
} from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newVmId, operationIdSchema, vmIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { unseal, type SealingJwk } from '@vm-on-golem/shared/sealing';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { z } from 'zod';
import { DriverError, type Driver } from '../drivers/driver.ts';
import { agreePrice, chooseImage, type OfferedImage } from './admission.ts';
import { checkRoom, remaining } from './allocation.ts';
import { CommandLog, type Answer, type Command } from './command-log.ts';
import type { Lifecycle } from './lifecycle.ts';
import { transition } from './machine.ts';
import type { Operations } from './operations.ts';
import { readCursor, vmsPage } from './pages.ts';
import { showVm, type VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import { readUserData, renderSeed } from './seed.ts';
import type { Store } from './store.ts';

export interface ManagerOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  readonly sealingKey: SealingJwk;
  readonly capacity: Amounts;
  readonly prices: Prices;
  readonly images: { list(): readonly OfferedImage[] };
  readonly store: Store;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  readonly recovery: Recovery;
  readonly driver: Driver;
  readonly now: () => number;
  /** What is available has changed. */
  readonly changed: () => void;
}

export class VmManager {
  readonly #options: ManagerOptions;
  readonly #commands: CommandLog;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#commands = new CommandLog(options.store, options.now);
  }

  /** What new VMs have room in. */
  get available(): Amounts {
    return remaining(this.#options.capacity, this.#options.store.taken());
  }

  /** Whether new VMs are taken. */
  get accepting(): boolean {
    return this.#options.recovery.reachable;
  }

  /** @throws {GolemError} whenever the VM cannot be created; nothing has changed then. */
  async create(command: Command, request: CreateVm): Promise<Answer> {
    const { prices, images, now, operations, lifecycle, store } = this.#options;
    const again = this.#commands.answerTo(command);
    if (again) return again;
    if (!this.accepting) {
      throw new GolemError('draining', 'The provider cannot ask its hypervisor at the moment.');
    }
    const image = chooseImage(images.list(), request);
    const price = agreePrice(prices, request);
    const hostKey = await generateOpenSshKeyPair();
    const userData = await this.#openUserData(command.owner, request);
    const id = newVmId();
    const seed = renderSeed({
      instanceId: `i-${id}`,
      hostname: request.name,
      sshKeys: request.sshKeys,
      hostKey,
      userData,
    });
    // From here to the end nothing else runs in between: no share or name is given twice.
    let begun: { vm: VmRecord; operation: string } | undefined;
    const answer = this.#commands.once(command, () => {
      if (store.vmByName(command.owner, request.name)) {
        throw new GolemError('vm_exists', `You have a VM called ${request.name} here already.`);
      }
      checkRoom(this.available, request.resources);
      store.insertVm({
        id,
        owner: command.owner,
        name: request.name,
        phase: 'creating',
        image: image.id,
        resources: request.resources,
        hourlyPrice: price,
        user: image.user,
        hostKey: hostKey.publicKey,
        labels: request.labels,
        createdAt: now(),
      });
      const operation = operations.begin(id, command.owner, 'create');
      const vm = this.#load(id);
      begun = { vm, operation };
      return this.#accepted(operation, vm);
    });
    if (begun) {
      lifecycle.create(begun.vm, begun.operation, seed);
      this.#options.changed();
    }
    return answer;
  }

  start(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'start');
  }

  stop(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'stop');
  }

  /** Whatever is being done with the VM is broken off; a second destroy joins the first. */
  destroy(command: Command, ref: string): Answer {
    return this.#command(command, ref, 'destroy');
  }

  /** @param ref id, or name among the VMs of `owner` */
  get(owner: string, ref: string): Vm {
    return this.#show(this.#find(owner, ref));
  }

  list(owner: string, { cursor, limit }: z.infer<typeof vmsQuerySchema>): VmsPage {
    const count = limit ?? LIMITS.list.pageDefault;
    const records = this.#options.store.vmsOf(owner, readCursor(cursor), count + 1);
    return vmsPage(records, count, (vm) => this.#show(vm));
  }

  /** Held open until there is an event past `after`, `wait` seconds at most. */
  async operation(
    owner: string,
    id: string,
    { after, wait }: { readonly after: number; readonly wait: number },
    signal: AbortSignal,
  ): Promise<OperationPage> {
    const { store, operations } = this.#options;
    const isTheirs = () => {
      const found = operationIdSchema.safeParse(id).success ? store.operation(id) : undefined;
      if (!found || found.owner !== owner) throw new GolemError('operation_not_found');
      return found;
    };
    isTheirs();
    await operations.change(id, after, wait * 1000, signal);
    const { vmId, kind, state, error } = isTheirs();
    const vm = store.vm(vmId);
    const events = store.events(id, after, LIMITS.operation.pageEvents);
    return {
      id,
      vmId,
      kind,
      state,
      events: events.map(({ n, at, stage }) => ({ n, at: new Date(at).toISOString(), stage })),
      vm: vm ? this.#show(vm) : null,
      ...(error === undefined ? {} : { error }),
    };
  }

  /**
   * A byte stream to the SSH port of a VM of `owner`.
   * @throws {GolemError} `vm_not_found`, `wrong_state`
   */
  async dial(owner: string, ref: string, signal: AbortSignal): Promise<Duplex> {
    const vm = this.#find(owner, ref);
    if (vm.phase !== 'running') throw notRunning(vm);
    try {
      return await this.#options.driver.dial(vm.id, signal);
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      if (error.code === 'not_running' || error.code === 'absent') throw notRunning(vm, error);
      throw new GolemError('internal', `The guest cannot be reached: ${error.message}`, {
        cause: error,
      });
    }
  }

  #command(command: Command, ref: string, kind: keyof typeof PAST): Answer {
    const { store, operations, lifecycle } = this.#options;
    const again = this.#commands.answerTo(command);
    if (again) return again;
    let begun: { vm: VmRecord; operation: string } | undefined;
    const answer = this.#commands.once(command, () => {
      const vm = this.#find(command.owner, ref);
      const removal = store
        .runningOperations()
        .find((running) => running.vmId === vm.id && running.kind === 'destroy');
      if (kind === 'destroy' && removal) return this.#accepted(removal.id, vm);
      if (this.#options.recovery.isUnknown(vm.id)) {
        throw new GolemError('wrong_state', 'The hypervisor cannot say what the VM does.', {
          hint: 'Nothing was changed. Try again in a minute.',
        });
      }
      const next = transition(vm.phase, kind);
      if (next === undefined || next === 'gone') {
        throw new GolemError('wrong_state', `The VM is ${vm.phase}: it cannot be ${PAST[kind]}.`);
      }
      store.setPhase(vm.id, next);
      if (kind === 'destroy') store.setRemoving(vm.id);
      const operation = operations.begin(vm.id, command.owner, kind);
      const changed = this.#load(vm.id);
      begun = { vm: changed, operation };
      return this.#accepted(operation, changed);
    });
    if (begun) {
      if (kind === 'destroy') operations.interrupt(begun.vm.id);
      lifecycle[kind](begun.vm, begun.operation);
    }
    return answer;
  }

  #accepted(operation: string, vm: VmRecord): Answer {
    const body: Accepted = { operation, vm: this.#show(vm) };
    return { status: 202, body: JSON.stringify(body) };
  }

  /** What belongs to another key is as if it were not there. */
  #find(owner: string, ref: string): VmRecord {
    const { store } = this.#options;
    const vm = vmIdSchema.safeParse(ref).success ? store.vm(ref) : store.vmByName(owner, ref);
    if (!vm || vm.owner !== owner) throw new GolemError('vm_not_found');
    return vm;
  }

  #load(id: string): VmRecord {
    const vm = this.#options.store.vm(id);
    if (!vm) throw new TypeError(`${id} was just written and is not there`);
    return vm;
  }

  #show(vm: VmRecord): Vm {
    return showVm(vm, this.#options.recovery.isUnknown(vm.id));
  }

  async #openUserData(requestor: string, { userData, name }: CreateVm) {
    if (userData === undefined) return undefined;
    const { provider, sealingKey } = this.#options;
    const purpose = { provider, requestor, vmName: name };
    return readUserData(await unseal(userData, sealingKey, purpose));
  }
}

const PAST = { start: 'started', stop: 'stopped', destroy: 'destroyed' } as const;

function notRunning(vm: VmRecord, cause?: DriverError): GolemError {
  const said = vm.phase === 'running' ? 'not running' : vm.phase;
  return new GolemError('wrong_state', `The VM is ${said}.`, {
    ...(vm.phase === 'stopped' ? { hint: 'Start it first.' } : {}),
    cause,
  });
}
