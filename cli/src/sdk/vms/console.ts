/** What the guest writes to its serial console: the log of its boot, and what comes after. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { consoleSchema, type Console } from '@vm-on-golem/shared/vm-commands';
import type { CallOptions } from '../ports.ts';
import type { Transport } from '../wire/transport.ts';

/** Between two looks that found nothing, as a provider may not hold its answer open. */
const PAUSE_MILLIS = 500;

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
    const query = bytes === undefined ? {} : { bytes };
    return (await this.#page(provider, vmId, query, options)).text;
  }

  /**
   * The end of it, and what is written from now on, across restarts of the guest, until `signal` aborts.
   * @throws {GolemError} `incompatible` for a provider that is older than this
   */
  async *follow(
    provider: string,
    vmId: string,
    { bytes, signal }: { readonly bytes?: number | undefined; readonly signal: AbortSignal },
  ): AsyncGenerator<string> {
    let query: Record<string, number> = bytes === undefined ? {} : { bytes };
    for (;;) {
      const page = await this.#transport.persistently(signal, () =>
        this.#page(provider, vmId, query, { signal }),
      );
      if (page.text !== '') yield page.text;
      if (page.to === undefined) throw isOlder();
      query = { after: page.to, wait: LIMITS.operation.waitSeconds };
      if (page.epoch !== undefined) query['epoch'] = page.epoch;
      if (page.text === '') await this.#transport.pause(PAUSE_MILLIS, signal);
    }
  }

  #page(
    provider: string,
    vmId: string,
    query: Readonly<Record<string, number>>,
    options: CallOptions,
  ): Promise<Console> {
    const words = Object.entries(query).map(([name, value]) => `${name}=${value}`);
    const path = paths.vmPart(provider, vmId, 'console') + (words.length > 0 ? '?' : '');
    const call = { method: 'GET', path: path + words.join('&'), ...options } as const;
    return this.#transport.call(provider, consoleSchema, call);
  }
}

function isOlder(): GolemError {
  return new GolemError(
    'incompatible',
    'The provider is too old for its consoles to be followed.',
    {
      hint: 'Without -f its end is shown.',
    },
  );
}
