/** Puts the room together: the rules, the work, and what sets both right after a crash. */
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { SealingJwk } from '@vm-on-golem/shared/sealing';
import type { Logger } from 'pino';
import type { Driver, GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import type { OfferedImage } from './admission.ts';
import { Lifecycle } from './lifecycle.ts';
import { VmManager } from './manager.ts';
import { Operations } from './operations.ts';
import { Recovery } from './recovery.ts';
import type { Store } from './store.ts';

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
  readonly capacity: Amounts;
  readonly prices: Prices;
  readonly images: Images;
  readonly driver: Driver;
  readonly store: Store;
  readonly now: () => number;
  readonly log: Logger;
  /** What is available, or whether new VMs are taken, has changed. */
  readonly changed: () => void;
}

export interface Vms extends AsyncDisposable {
  readonly manager: VmManager;
  readonly operations: Operations;
  /** Asks the hypervisor once and sets everything right: at the start, and from time to time. */
  reconcile(): Promise<void>;
  /** Forgets what nobody may ask for any more. */
  prune(): void;
}

/** Disposing breaks off what is being done, for the next start to go on with. Guests run on. */
export function openVms(options: VmsOptions): Vms {
  const { store, driver, images, now, log, changed } = options;
  const operations = new Operations({ store, now, log });
  const lifecycle = new Lifecycle({ store, operations, driver, images, now, log, changed });
  const recovery = new Recovery({ store, operations, driver, lifecycle, log, changed });
  const manager = new VmManager({ ...options, operations, lifecycle, recovery });
  return {
    manager,
    operations,
    reconcile: () => recovery.reconcile(),
    prune: () => {
      const { idempotencyMillis, historyMillis } = AGENT_LIMITS.vms;
      store.prune({ idempotency: now() - idempotencyMillis, history: now() - historyMillis });
    },
    [Symbol.asyncDispose]: () => operations.stop(),
  };
}
