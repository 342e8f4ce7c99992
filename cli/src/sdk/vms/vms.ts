/** VMs of this requestor on one provider: every answer is the provider's own, or it is an error. */
import {
  acceptedSchema,
  paths,
  vmsPageSchema,
  type Accepted,
  type CreateVm,
} from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Offer } from '@vm-on-golem/shared/offer';
import { seal } from '@vm-on-golem/shared/sealing';
import { vmSchema, type Resources, type Vm } from '@vm-on-golem/shared/vm';
import {
  renewedSchema,
  snapshotsSchema,
  type RenewVm,
  type Snapshots,
} from '@vm-on-golem/shared/vm-commands';
import type { CallOptions, PendingCreation } from '../ports.ts';
import { within } from '../wire/deadline.ts';
import { SignedRefusal } from '../wire/outcome.ts';
import { newIdempotencyKey, type Transport } from '../wire/transport.ts';
import { wireCommand, type VmCommand } from './commands.ts';

/** More than one key has on one machine; a provider that lists more wants to fill this one. */
const MAX_VMS = 1_000;
const MAX_PAGES = Math.ceil(MAX_VMS / LIMITS.list.pageDefault) + 1;

export interface VmRequest {
  readonly name: string;
  readonly resources: Resources;
  readonly image: string;
  readonly sshKeys: readonly string[];
  /** nano-USD. */
  readonly maxHourlyPrice?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Destroyed when it is so old. */
  readonly ttlSeconds?: number | undefined;
  /** In the clear: it is sealed before it leaves. */
  readonly userData?: string | undefined;
}

export class Vms {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A creation for exactly this provider: to be kept before it is sent, any number of times. */
  async creation(request: VmRequest, offer: Offer, requestor: string): Promise<PendingCreation> {
    const { userData, sshKeys, ...rest } = request;
    const purpose = { provider: offer.provider, requestor, vmName: request.name };
    const body: CreateVm = {
      ...rest,
      sshKeys: [...sshKeys],
      ...(userData === undefined
        ? {}
        : { userData: await seal(userData, offer.sealingKey, purpose) }),
    };
    return { body: JSON.stringify(body), idempotencyKey: newIdempotencyKey() };
  }

  /** Creates what `creation` says, or finds out what became of it if it was sent before. */
  create(
    provider: string,
    { body, idempotencyKey }: PendingCreation,
    options: CallOptions,
  ): Promise<Accepted> {
    const call = { method: 'POST', path: paths.vms(provider), body, idempotencyKey } as const;
    return this.#transport.untilKnown(options, (signal) =>
      this.#transport.call(provider, acceptedSchema, { ...call, signal }),
    );
  }

  /** Has a command accepted, whose operation can then be followed. */
  send(
    provider: string,
    vmId: string,
    command: VmCommand,
    options: CallOptions,
  ): Promise<Accepted> {
    const call = { ...wireCommand(provider, vmId, command), idempotencyKey: newIdempotencyKey() };
    return this.#transport.untilKnown(options, (signal) =>
      this.#transport.call(provider, acceptedSchema, { ...call, signal }),
    );
  }

  /**
   * Gives a VM a new lease; starts one again whose lease had ended.
   * @param seconds how long from now on; none for as long as the provider gives by itself
   */
  async renew(
    provider: string,
    vmId: string,
    seconds: number | undefined,
    options: CallOptions,
  ): Promise<Vm> {
    const request: RenewVm = seconds === undefined ? {} : { seconds };
    const call = {
      method: 'POST',
      path: paths.vmAction(provider, vmId, 'renew'),
      body: JSON.stringify(request),
      idempotencyKey: newIdempotencyKey(),
    } as const;
    const { vm } = await this.#transport.untilKnown(options, (signal) =>
      this.#transport.call(provider, renewedSchema, { ...call, signal }),
    );
    return vm;
  }

  /** @param reference id, or name of one that is one's own: not of one that others share under that name */
  async get(provider: string, reference: string, options: CallOptions): Promise<Vm> {
    const call = { method: 'GET', path: paths.vm(provider, reference), ...options } as const;
    const vm = await this.#transport.call(provider, vmSchema, call);
    if (vm.id === reference || vm.sharedBy === undefined) return vm;
    throw new SignedRefusal('vm_not_found');
  }

  /**
   * All of them, page by page.
   * @throws {GolemError} `internal` for a list without an end: no part of it is believed
   */
  list(provider: string, options: CallOptions): Promise<Vm[]> {
    return within(options, async (signal) => {
      const vms: Vm[] = [];
      let query = '';
      for (let pages = 0; pages < MAX_PAGES && vms.length <= MAX_VMS; pages += 1) {
        const call = { method: 'GET', path: paths.vms(provider) + query, signal } as const;
        const page = await this.#transport.call(provider, vmsPageSchema, call);
        vms.push(...page.vms);
        if (page.next === null && vms.length <= MAX_VMS) return vms;
        query = `?cursor=${encodeURIComponent(page.next ?? '')}`;
      }
      throw new GolemError('internal', `The list of VMs of ${provider} has no end.`);
    });
  }

  /** Oldest first. */
  async snapshots(
    provider: string,
    vmId: string,
    options: CallOptions,
  ): Promise<Snapshots['snapshots']> {
    const path = paths.vmPart(provider, vmId, 'snapshots');
    const call = { method: 'GET', path, ...options } as const;
    return (await this.#transport.call(provider, snapshotsSchema, call)).snapshots;
  }
}
