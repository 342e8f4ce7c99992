/**
 * The rules by which VMs are rented: who may do what, what it costs, whether there is room. Whatever
 * is accepted is in the store before it is answered.
 */
import type { CreateVm } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newVmId } from '@vm-on-golem/shared/ids';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { unseal, type SealingJwk } from '@vm-on-golem/shared/sealing';
import { agreePrice, chooseImage, type OfferedImage } from './admission.ts';
import { checkRoom } from './allocation.ts';
import { CommandLog, type Answer, type Command } from './command-log.ts';
import type { Directory } from './directory.ts';
import type { Lifecycle } from './lifecycle.ts';
import { transition } from './machine.ts';
import type { Operations } from './operations.ts';
import type { Recorder } from './recorder.ts';
import type { VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import { readUserData, renderSeed } from './seed.ts';
import type { Store } from './store/store.ts';

export interface CommandsOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  readonly sealingKey: SealingJwk;
  readonly prices: () => Prices;
  readonly images: { list(): readonly OfferedImage[] };
  readonly store: Store;
  readonly recorder: Recorder;
  readonly directory: Directory;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  readonly recovery: Recovery;
  readonly now: () => number;
  /** What new VMs have room in. */
  readonly available: () => Amounts;
  /** Why no new VMs are taken at the moment. */
  readonly closed: () => string | undefined;
  /** What is available has changed. */
  readonly changed: () => void;
}

export class VmCommands {
  readonly #options: CommandsOptions;
  readonly #commands: CommandLog;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#commands = new CommandLog(options.store, options.now);
  }

  /** @throws {GolemError} whenever the VM cannot be created; nothing has changed then. */
  async create(command: Command, request: CreateVm): Promise<Answer> {
    const { prices, images, now, directory, operations, lifecycle, store, recorder } =
      this.#options;
    const again = this.#commands.answerTo(command);
    if (again) return again;
    this.#checkOpen();
    const image = chooseImage(images.list(), request);
    const price = agreePrice(prices(), request);
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
      if (store.vms.byName(command.owner, request.name)) {
        throw new GolemError('vm_exists', `You have a VM called ${request.name} here already.`);
      }
      checkRoom(this.#options.available(), request.resources);
      const vm = recorder.insert({
        id,
        owner: command.owner,
        name: request.name,
        phase: 'creating',
        image: image.id,
        resources: request.resources,
        ...price,
        user: image.user,
        hostKey: hostKey.publicKey,
        labels: request.labels,
        createdAt: now(),
      });
      const operation = operations.begin({
        ...{ vmId: id, owner: command.owner, kind: 'create', actor: 'owner' },
      });
      begun = { vm, operation };
      return directory.accepted(operation, vm);
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

  #checkOpen(): void {
    const why = this.#options.closed();
    if (why !== undefined) throw new GolemError('draining', why);
  }

  #command(command: Command, ref: string, kind: keyof typeof PAST): Answer {
    const { store, recorder, directory, operations, lifecycle, recovery } = this.#options;
    const again = this.#commands.answerTo(command);
    if (again) return again;
    let begun: { vm: VmRecord; operation: string } | undefined;
    const answer = this.#commands.once(command, () => {
      const vm = directory.find(command.owner, ref);
      const removal = store.operations
        .running()
        .find((running) => running.vmId === vm.id && running.kind === 'destroy');
      if (kind === 'destroy' && removal) return directory.accepted(removal.id, vm);
      if (recovery.isUnknown(vm.id)) {
        throw new GolemError('wrong_state', 'The hypervisor cannot say what the VM does.', {
          hint: 'Nothing was changed. Try again in a minute.',
        });
      }
      const next = transition(vm.phase, kind);
      if (next === undefined || next === 'gone') {
        throw new GolemError('wrong_state', `The VM is ${vm.phase}: it cannot be ${PAST[kind]}.`);
      }
      const removing = kind === 'destroy' || vm.removing;
      const changed = recorder.update(vm.id, { phase: next, removing }) ?? vm;
      const operation = operations.begin({
        ...{ vmId: vm.id, owner: vm.owner, kind, actor: 'owner' },
      });
      begun = { vm: changed, operation };
      return directory.accepted(operation, changed);
    });
    if (begun) {
      if (kind === 'destroy') operations.interrupt(begun.vm.id);
      lifecycle[kind](begun.vm, begun.operation);
    }
    return answer;
  }

  async #openUserData(requestor: string, { userData, name }: CreateVm) {
    if (userData === undefined) return undefined;
    const { provider, sealingKey } = this.#options;
    const purpose = { provider, requestor, vmName: name };
    return readUserData(await unseal(userData, sealingKey, purpose));
  }
}

const PAST = { start: 'started', stop: 'stopped', destroy: 'destroyed' } as const;
