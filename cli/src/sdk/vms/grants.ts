/** Whom a VM is shared with. */
import { paths } from '@vm-on-golem/shared/api';
import { grantsSchema, type CreateGrant, type Grants } from '@vm-on-golem/shared/vm-commands';
import type { CallOptions } from '../ports.ts';
import { newIdempotencyKey, type Transport } from '../wire/transport.ts';

export class GrantClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(provider: string, vmId: string, options: CallOptions): Promise<Grants> {
    const path = paths.vmPart(provider, vmId, 'grants');
    return this.#transport.call(provider, grantsSchema, { method: 'GET', path, ...options });
  }

  give(provider: string, vmId: string, grant: CreateGrant, options: CallOptions): Promise<Grants> {
    const path = paths.vmPart(provider, vmId, 'grants');
    const body = JSON.stringify(grant);
    return this.#change(provider, { method: 'POST', path, body }, options);
  }

  takeBack(
    provider: string,
    vmId: string,
    requestor: string,
    options: CallOptions,
  ): Promise<Grants> {
    const path = paths.grant(provider, vmId, requestor);
    return this.#change(provider, { method: 'DELETE', path }, options);
  }

  #change(
    provider: string,
    call: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body?: string },
    options: CallOptions,
  ): Promise<Grants> {
    const idempotencyKey = newIdempotencyKey();
    return this.#transport.untilKnown(options, (signal) =>
      this.#transport.call(provider, grantsSchema, { ...call, idempotencyKey, signal }),
    );
  }
}
