/** VMs of this requestor on one provider: every answer is the provider's own, or it is an error. */
import {
  acceptedSchema,
  paths,
  vmsPageSchema,
  type Accepted,
  type CreateVm,
} from '@vm-on-golem/shared/api';
import type { Offer } from '@vm-on-golem/shared/offer';
import { seal } from '@vm-on-golem/shared/sealing';
import { vmSchema, type Resources, type Vm } from '@vm-on-golem/shared/vm';
import { renewedSchema, type RenewVm } from '@vm-on-golem/shared/vm-commands';
import { newIdempotencyKey, type Transport } from '../wire/transport.ts';
import { SignedRefusal } from '../wire/outcome.ts';

export interface VmRequest {
  readonly name: string;
  readonly resources: Resources;
  readonly image: string;
  readonly sshKeys: readonly string[];
  readonly maxHourlyPrice?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** In the clear: it is sealed before it leaves. */
  readonly userData?: string;
}

/** What was, or is to be, sent: the same bytes under the same key, any number of times. */
export interface Creation {
  readonly body: string;
  readonly idempotencyKey: string;
}

export type VmChange = 'start' | 'stop' | 'destroy';

export class Vms {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A creation for exactly this provider. */
  async creation(request: VmRequest, offer: Offer, requestor: string): Promise<Creation> {
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

  create(
    provider: string,
    body: string,
    idempotencyKey: string,
    signal: AbortSignal,
  ): Promise<Accepted> {
    const path = paths.vms(provider);
    return this.#transport.call(provider, acceptedSchema, {
      method: 'POST',
      path,
      body,
      idempotencyKey,
      signal,
    });
  }

  change(
    provider: string,
    vmId: string,
    change: VmChange,
    idempotencyKey: string,
    signal: AbortSignal,
  ): Promise<Accepted> {
    const call =
      change === 'destroy'
        ? ({ method: 'DELETE', path: paths.vm(provider, vmId) } as const)
        : ({ method: 'POST', path: paths.vmAction(provider, vmId, change) } as const);
    return this.#transport.call(provider, acceptedSchema, { ...call, idempotencyKey, signal });
  }

  /** @param seconds how long from now on; none for as long as the provider gives by itself */
  async renew(
    provider: string,
    vmId: string,
    seconds: number | undefined,
    idempotencyKey: string,
    signal: AbortSignal,
  ): Promise<Vm> {
    const request: RenewVm = seconds === undefined ? {} : { seconds };
    const { vm } = await this.#transport.call(provider, renewedSchema, {
      method: 'POST',
      path: paths.vmAction(provider, vmId, 'renew'),
      body: JSON.stringify(request),
      ...{ idempotencyKey, signal },
    });
    return vm;
  }

  /** @param reference id, or name of one that is one's own: not of one that others share under that name */
  async get(
    provider: string,
    reference: string,
    signal: AbortSignal,
    seconds?: number,
  ): Promise<Vm> {
    const path = paths.vm(provider, reference);
    const time = seconds === undefined ? {} : { seconds };
    const call = { method: 'GET', path, signal, ...time } as const;
    const vm = await this.#transport.call(provider, vmSchema, call);
    if (vm.id === reference || vm.sharedBy === undefined) return vm;
    throw new SignedRefusal('vm_not_found');
  }

  /** All of them, page by page. */
  async list(provider: string, signal: AbortSignal, seconds: number): Promise<Vm[]> {
    const vms: Vm[] = [];
    let query = '';
    for (;;) {
      const call = { method: 'GET', path: paths.vms(provider) + query, signal, seconds } as const;
      const page = await this.#transport.call(provider, vmsPageSchema, call);
      vms.push(...page.vms);
      if (page.next === null) return vms;
      query = `?cursor=${encodeURIComponent(page.next)}`;
    }
  }
}
