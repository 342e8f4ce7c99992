/** Puts the room together: the rules, the work, and what sets both right after a crash. */
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { SealingJwk } from '@vm-on-golem/shared/sealing';
import type { Logger } from 'pino';
import type { Driver, GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import type { OfferedImage } from './admission.ts';
import { remaining } from './allocation.ts';
import { VmCommands } from './commands.ts';
import { Directory } from './directory.ts';
import { Lifecycle } from './lifecycle.ts';
import { Operations } from './operations.ts';
import { VmQueries } from './queries.ts';
import { Recorder } from './recorder.ts';
import { Recovery } from './recovery.ts';
import type { Store } from './store/store.ts';

/** What guests can be made of. */
export interface Images {
  list(): readonly OfferedImage[];
  /** Fetches and checks what is not on this machine yet. */
  resolve(id: string, signal: AbortSignal): Promise<GuestImage>;
}

export interface VmsOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  readonly sealingKey: SealingJwk;
  /** What is shared at the moment, whatever of it is taken. */
  readonly capacity: () => Amounts;
  /** What new VMs cost at the moment. */
  readonly prices: () => Prices;
  /** Why the machine takes no new VMs at the moment, in words for requestors. */
  readonly closed?: () => string | undefined;
  readonly images: Images;
  readonly driver: Driver;
  readonly store: Store;
  readonly now: () => number;
  readonly log: Logger;
  /** What is available, or whether new VMs are taken, has changed. */
  readonly changed: () => void;
}

export interface Vms extends AsyncDisposable {
  readonly commands: VmCommands;
  readonly queries: VmQueries;
  readonly operations: Operations;
  /** What new VMs have room in. */
  available(): Amounts;
  /** Why no new VMs are taken at the moment, in words for requestors. */
  closed(): string | undefined;
  /** Asks the hypervisor once and sets everything right: at the start, and from time to time. */
  reconcile(): Promise<void>;
  /** Forgets what nobody may ask for any more. */
  prune(): void;
}

/** Disposing breaks off what is being done, for the next start to go on with. Guests run on. */
export function openVms(options: VmsOptions): Vms {
  const { store, driver, images, now, log, changed } = options;
  const recorder = new Recorder({ store, now, observers: [] });
  const operations = new Operations({ store, recorder, now, log });
  const lifecycle = new Lifecycle({ store, recorder, operations, driver, images, log, changed });
  const recovery = new Recovery({ store, operations, driver, lifecycle, log, changed });
  const directory = new Directory({ store, recovery });
  const available = () => remaining(options.capacity(), store.vms.taken());
  const closed = () =>
    recovery.reachable
      ? options.closed?.()
      : 'The provider cannot ask its hypervisor at the moment.';
  const room = { ...{ store, recorder, directory, operations, lifecycle, recovery } };
  return {
    commands: new VmCommands({ ...options, ...room, available, closed }),
    queries: new VmQueries({ store, directory, operations, driver }),
    operations,
    available,
    closed,
    reconcile: () => recovery.reconcile(),
    prune: () => {
      const { idempotencyMillis, historyMillis } = AGENT_LIMITS.vms;
      store.prune({ idempotency: now() - idempotencyMillis, history: now() - historyMillis });
    },
    [Symbol.asyncDispose]: () => operations.stop(),
  };
}
