/** What a VM uses: what its hypervisor has counted, and what that is a second. */
import { paths } from '@vm-on-golem/shared/api';
import { statsSchema, type Stats } from '@vm-on-golem/shared/vm-commands';
import type { CallOptions } from '../ports.ts';
import type { Transport } from '../wire/transport.ts';

/** What was counted, and how fast it grew since the look before. Null where nobody says. */
export interface Load extends Stats {
  /** Of one processor: 200 for two that are busy. Null before the second look. */
  readonly cpuPercent: number | null;
  readonly receivedBytesPerSecond: number | null;
  readonly sentBytesPerSecond: number | null;
}

export class VmStats {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get(provider: string, vmId: string, options: CallOptions): Promise<Stats> {
    const path = paths.vmPart(provider, vmId, 'stats');
    return this.#transport.call(provider, statsSchema, { method: 'GET', path, ...options });
  }

  /** Looks again and again, across lost links, until `signal` aborts. */
  async *follow(
    provider: string,
    vmId: string,
    { intervalMillis, signal }: { readonly intervalMillis: number; readonly signal: AbortSignal },
  ): AsyncGenerator<Load> {
    for (let before: Stats | undefined; ;) {
      const now = await this.#transport.persistently(signal, () =>
        this.get(provider, vmId, { signal }),
      );
      yield loadOf(now, before);
      before = now;
      await this.#transport.pause(intervalMillis, signal);
    }
  }
}

/** Pure. A guest that was started in between has counted from 0 again: then nothing is said. */
function loadOf(now: Stats, before: Stats | undefined): Load {
  const seconds = before ? (Date.parse(now.at) - Date.parse(before.at)) / 1000 : 0;
  const perSecond = (name: 'cpuSeconds' | 'receivedBytes' | 'sentBytes') => {
    const [from, to] = [before?.[name] ?? null, now[name]];
    return from === null || to === null || to < from || seconds <= 0 ? null : (to - from) / seconds;
  };
  const cpu = perSecond('cpuSeconds');
  return {
    ...now,
    cpuPercent: cpu === null ? null : Math.round(cpu * 1000) / 10,
    receivedBytesPerSecond: rounded(perSecond('receivedBytes')),
    sentBytesPerSecond: rounded(perSecond('sentBytes')),
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
