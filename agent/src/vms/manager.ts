/**
 * The rules by which VMs are rented: who may do what, what it costs, whether there is room. Whatever
 * it accepts is in the store before it answers.
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type {
  Accepted,
  CreateVm,
  OperationKind,
  OperationPage,
  VmsPage,
  vmsQuerySchema,
} from '@vm-on-golem/shared/api';
import { base64UrlDecode, base64UrlEncode, utf8 } from '@vm-on-golem/shared/encoding';
import { GolemError } from '@vm-on-golem/shared/errors';
import { newVmId, operationIdSchema, vmIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { formatUsd, hourlyPrice, type Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { unseal, type SealingJwk } from '@vm-on-golem/shared/sealing';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { z } from 'zod';
import { DriverError, type Driver, type GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { checkRoom, remaining } from './allocation.ts';
import type { Lifecycle } from './lifecycle.ts';
import { transition } from './machine.ts';
import type { Operations } from './operations.ts';
import { showVm, type VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import { readUserData, renderSeed } from './seed.ts';
import type { Store } from './store.ts';

/** What must be known of an image before it is fetched. */
export type OfferedImage = Pick<GuestImage, 'id' | 'user' | 'minMemoryMiB'>;

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

/** A command as its owner signed it: sent again, it is answered again and not done again. */
export interface Command {
  /** `gr_...`. */
  readonly owner: string;
  readonly idempotencyKey: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** An answer that is given word for word whenever the command is sent again. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class VmManager {
  readonly #options: ManagerOptions;

  constructor(options: ManagerOptions) {
    this.#options = options;
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
    const again = this.#remembered(command);
    if (again) return again;
    if (!this.accepting) {
      throw new GolemError('draining', 'The provider cannot ask its hypervisor at the moment.');
    }
    const image = chooseImage(images.list(), request);
    const price = hourlyPrice(prices, request.resources);
    if (request.maxHourlyPrice !== undefined && price > request.maxHourlyPrice) {
      throw new GolemError(
        'price_too_high',
        `It costs ${formatUsd(price)} an hour here; the request allows ${formatUsd(request.maxHourlyPrice)}.`,
      );
    }
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
    const answer = this.#once(command, () => {
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
    const records = this.#options.store.vmsOf(owner, decodeCursor(cursor), count + 1);
    const vms: Vm[] = [];
    let bytes = 0;
    for (const record of records.slice(0, count)) {
      const vm = this.#show(record);
      bytes += JSON.stringify(vm).length;
      if (vms.length > 0 && bytes > AGENT_LIMITS.vms.pageBytes) break;
      vms.push(vm);
    }
    const last = records[vms.length - 1];
    return { vms, next: last && records.length > vms.length ? encodeCursor(last.seq) : null };
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

  #command(command: Command, ref: string, kind: Exclude<OperationKind, 'create'>): Answer {
    const { store, operations, lifecycle } = this.#options;
    const again = this.#remembered(command);
    if (again) return again;
    let begun: { vm: VmRecord; operation: string } | undefined;
    const answer = this.#once(command, () => {
      const vm = this.#find(command.owner, ref);
      const running = store.runningOperations().find(({ vmId }) => vmId === vm.id);
      if (kind === 'destroy' && running?.kind === 'destroy') {
        return this.#accepted(running.id, vm);
      }
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

  /** Does `work` and remembers its answer, both or neither. */
  #once(command: Command, work: () => Answer): Answer {
    const { store, now } = this.#options;
    return store.transaction(() => {
      const again = this.#remembered(command);
      if (again) return again;
      const answer = work();
      const digest = digestOf(command);
      store.remember(command.owner, command.idempotencyKey, { digest, ...answer }, now());
      return answer;
    });
  }

  /** @throws {GolemError} `idempotency_conflict` */
  #remembered(command: Command): Answer | undefined {
    const { store, now } = this.#options;
    const since = now() - AGENT_LIMITS.vms.idempotencyMillis;
    const known = store.remembered(command.owner, command.idempotencyKey, since);
    if (!known) return undefined;
    if (known.digest !== digestOf(command)) throw new GolemError('idempotency_conflict');
    return { status: known.status, body: known.body };
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

function chooseImage(images: readonly OfferedImage[], request: CreateVm): OfferedImage {
  const image = images.find(({ id }) => id === request.image);
  if (!image) {
    const ids = images.map(({ id }) => id).join(', ');
    throw new GolemError('image_unknown', `The provider does not offer ${request.image}.`, {
      hint: `It offers: ${ids || 'no image at all'}.`,
    });
  }
  if (request.resources.memoryMiB < image.minMemoryMiB) {
    throw new GolemError(
      'invalid_request',
      `${request.resources.memoryMiB} MiB of memory are too little for ${image.id}.`,
      { hint: `It needs at least ${image.minMemoryMiB} MiB.` },
    );
  }
  return image;
}

function notRunning(vm: VmRecord, cause?: DriverError): GolemError {
  const said = vm.phase === 'running' ? 'not running' : vm.phase;
  return new GolemError('wrong_state', `The VM is ${said}.`, {
    ...(vm.phase === 'stopped' ? { hint: 'Start it first.' } : {}),
    cause,
  });
}

function digestOf({ method, path, body }: Command): string {
  return createHash('sha256').update(`${method} ${path}\n${body}`).digest('base64url');
}

function encodeCursor(seq: number): string {
  return base64UrlEncode(utf8(String(seq)));
}

function decodeCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const text = new TextDecoder().decode(base64UrlDecode(cursor) ?? new Uint8Array());
  if (!/^\d{1,15}$/.test(text)) {
    throw new GolemError('invalid_request', 'The cursor is not one that this provider gave.');
  }
  return Number(text);
}
