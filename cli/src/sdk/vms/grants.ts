/** Whom a VM is shared with. */
import { paths } from '@vm-on-golem/shared/api';
import { grantsSchema, type CreateGrant, type Grants } from '@vm-on-golem/shared/vm-commands';
import { newIdempotencyKey, type Transport } from '../wire/transport.ts';

export class GrantClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(provider: string, vmId: string, signal: AbortSignal): Promise<Grants> {
    const path = paths.vmPart(provider, vmId, 'grants');
    return this.#transport.call(provider, grantsSchema, { method: 'GET', path, signal });
  }

  give(provider: string, vmId: string, grant: CreateGrant, signal: AbortSignal): Promise<Grants> {
    const path = paths.vmPart(provider, vmId, 'grants');
    return this.#change(provider, signal, { method: 'POST', path, body: JSON.stringify(grant) });
  }

  takeBack(
    provider: string,
    vmId: string,
    requestor: string,
    signal: AbortSignal,
  ): Promise<Grants> {
    const path = paths.grant(provider, vmId, requestor);
    return this.#change(provider, signal, { method: 'DELETE', path, body: '' });
  }

  #change(
    provider: string,
    signal: AbortSignal,
    call: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body: string },
  ): Promise<Grants> {
    const idempotencyKey = newIdempotencyKey();
    return this.#transport.untilKnown(signal, () =>
      this.#transport.call(provider, grantsSchema, { ...call, idempotencyKey, signal }),
    );
  }
}
