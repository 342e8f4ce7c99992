/**
 * Whether, and for how much, a VM is rented out. Whatever is accepted is in the store before it is
 * answered.
 */
import type { CreateVm } from '@vm-on-golem/shared/api';
import { acceptedSchema } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newVmId } from '@vm-on-golem/shared/ids';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { Resources } from '@vm-on-golem/shared/vm';
import { unseal, type SealingJwk } from '@vm-on-golem/shared/sealing';
import { AGENT_LIMITS } from '../limits.ts';
import { agreePrice, checkSize, chooseImage, type OfferedImage } from './admission.ts';
import { checkRoom } from './allocation.ts';
import type { Answer, Command, CommandLog } from './command-log.ts';
import type { Directory } from './directory.ts';
import { checkFailures, countedSince } from './failed-creations.ts';
import type { LeaseClock } from './leases/clock.ts';
import type { Lifecycle } from './lifecycle/lifecycle.ts';
import type { Operations } from './operations.ts';
import { checkServed, checkShare, type Policy } from './policy.ts';
import type { Recorder } from './recorder.ts';
import type { OperationRecord, VmRecord } from './records.ts';
import { readUserData, renderSeed } from './seed.ts';
import type { Store } from './store/store.ts';

export interface CreationsOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  readonly sealingKey: SealingJwk;
  readonly prices: () => Prices;
  readonly policy: () => Policy;
  readonly images: { list(): readonly OfferedImage[] };
  readonly store: Store;
  readonly recorder: Recorder;
  readonly commandLog: CommandLog;
  readonly directory: Directory;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  readonly leaseClock: LeaseClock;
  /** How long a new lease lasts, in milliseconds. */
  readonly leaseMillis: number;
  readonly now: () => number;
  /** The smallest VM that is rented. */
  readonly minimum: () => Resources;
  /** Has what is available measured, before it is given away. */
  readonly refresh?: () => Promise<void>;
  /** What new VMs have room in. */
  readonly available: () => Amounts;
  /** Why no new VMs are taken at the moment. */
  readonly closed: () => string | undefined;
  /** What is available has changed. */
  readonly changed: () => void;
}

export class Creations {
  readonly #options: CreationsOptions;

  constructor(options: CreationsOptions) {
    this.#options = options;
  }

  /** @throws {GolemError} whenever the VM cannot be created; nothing has changed then. */
  async create(command: Command, request: CreateVm): Promise<Answer> {
    const { prices, policy, images, commandLog, lifecycle, changed } = this.#options;
    const { minimum, refresh, closed } = this.#options;
    const again = commandLog.answerTo(command);
    if (again) return this.#collected(again);
    checkServed(policy(), command.owner);
    checkSize(minimum(), request.resources);
    await refresh?.();
    const why = closed();
    if (why !== undefined) throw new GolemError('draining', why);
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
    let begun: { vm: VmRecord; operation: OperationRecord } | undefined;
    const answer = commandLog.once(command, () => {
      const { user } = image;
      begun = this.#begin(command.owner, request, {
        ...{ id, user, hostKey: hostKey.publicKey, ...price },
      });
      return this.#options.directory.accepted(begun.operation.id, begun.vm);
    });
    if (begun) {
      lifecycle.create(begun.vm, begun.operation, seed);
      changed();
    }
    return answer;
  }

  #begin(
    owner: string,
    { name, image, resources, labels, ttlSeconds }: CreateVm,
    made: Pick<VmRecord, 'id' | 'user' | 'hostKey' | 'hourlyPrice' | 'storagePrice'>,
  ): { vm: VmRecord; operation: OperationRecord } {
    const { store, recorder, operations, leaseClock, leaseMillis, available, now } = this.#options;
    if (store.vms.byName(owner, name)) {
      throw new GolemError('vm_exists', `You have a VM called ${name} here already.`);
    }
    checkFailures(store.operations.failedCreations(owner, countedSince(now())), now());
    checkShare(this.#options.policy(), owner, resources, store.vms.holdings());
    checkRoom(available(), resources);
    const leaseTime = leaseClock.now();
    const vm = recorder.insert({
      ...made,
      ...{ owner, name, phase: 'creating', image, resources, labels, createdAt: now() },
      leaseUntil: leaseTime + leaseMillis,
      destroyAt: ttlSeconds === undefined ? null : leaseTime + ttlSeconds * 1000,
      collectBy: leaseTime + AGENT_LIMITS.vms.collectMillis,
    });
    const operation = operations.begin({
      ...{ vmId: vm.id, owner, kind: 'create', actor: 'owner', args: {} },
    });
    return { vm, operation };
  }

  /** Who sends it again knows of it. */
  #collected(answer: Answer): Answer {
    const { store, directory } = this.#options;
    const vm = store.vms.get(acceptedSchema.parse(JSON.parse(answer.body)).vm.id);
    if (vm) directory.collect(vm);
    return answer;
  }

  async #openUserData(requestor: string, { userData, name }: CreateVm) {
    if (userData === undefined) return undefined;
    const { provider, sealingKey } = this.#options;
    const purpose = { provider, requestor, vmName: name };
    return readUserData(await unseal(userData, sealingKey, purpose));
  }
}
