/** What the guest writes to its serial console: the log of its boot, and what comes after. */
import { paths } from '@vm-on-golem/shared/api';
import { consoleSchema } from '@vm-on-golem/shared/vm-commands';
import type { CallOptions } from '../ports.ts';
import type { Transport } from '../wire/transport.ts';

export class VmConsole {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The end of it. @param bytes at most so many; as many as a provider gives in one answer if unsaid */
  async tail(
    provider: string,
    vmId: string,
    { bytes, ...options }: CallOptions & { readonly bytes?: number | undefined },
  ): Promise<string> {
    const query = bytes === undefined ? '' : `?bytes=${bytes}`;
    const path = paths.vmPart(provider, vmId, 'console') + query;
    const call = { method: 'GET', path, ...options } as const;
    return (await this.#transport.call(provider, consoleSchema, call)).text;
  }
}
