/** Puts the room together: the rules, the work, and what sets both right after a crash. */
import { CLOSE, Ending } from '@vm-on-golem/shared/closes';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { SealingJwk } from '@vm-on-golem/shared/sealing';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import type { Resources } from '@vm-on-golem/shared/vm';
import type { Driver, GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import type { OfferedImage } from './admission.ts';
import { remaining } from './allocation.ts';
import { CommandLog } from './command-log.ts';
import { VmCommands } from './commands.ts';
import { Creations } from './creations.ts';
import { Directory } from './directory.ts';
import { History } from './history/history.ts';
import { Intents } from './intents.ts';
import { Ledger } from './ledger/ledger.ts';
import { LeaseClock, type Host } from './leases/clock.ts';
import { LeaseKeeper } from './leases/keeper.ts';
import type { LeaseTerms } from './leases/terms.ts';
import { Lifecycle } from './lifecycle/lifecycle.ts';
import { OperatorMode } from './mode.ts';
import { Operations } from './operations.ts';
import { Operator } from './operator.ts';
import { Orphans } from './orphans.ts';
import { checkServed, serves, type Policy } from './policy.ts';
import { VmQueries } from './queries.ts';
import { Recorder, type Observer } from './recorder.ts';
import { Recovery } from './recovery.ts';
import { Renewals } from './renewals.ts';
import { doors } from './sharing/doors.ts';
import { Sharing } from './sharing/sharing.ts';
import { Succession } from './succession/succession.ts';
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
  /** Whom it serves at the moment, and how much of it one may have. */
  readonly policy: () => Policy;
  /** The smallest VM that is rented; any, if not said otherwise. */
  readonly minimum?: () => Resources;
  /** Has what is shared measured, before it is given away. */
  readonly refresh?: () => Promise<void>;
  /** Why the machine takes no new VMs at the moment, in words for requestors. */
  readonly closed?: () => string | undefined;
  readonly terms: LeaseTerms;
  readonly images: Images;
  readonly driver: Driver;
  readonly store: Store;
  readonly host: Host;
  readonly now: () => number;
  /** Milliseconds for which this machine has been awake; never goes back. */
  readonly awake: () => number;
  readonly timers: Timers;
  readonly log: Logger;
  /** Told of what happens to VMs, inside the transactions that write it down. */
  readonly observers?: readonly Observer[];
  /** What is available, or whether new VMs are taken, has changed. */
  readonly changed: () => void;
  /** Sessions with a VM are to end: those of one requestor, or all. */
  readonly cut: (vmId: string, requestor: string | undefined, why: Ending) => void;
}

export interface Vms extends AsyncDisposable {
  readonly creations: Creations;
  readonly commands: VmCommands;
  readonly renewals: Renewals;
  readonly queries: VmQueries;
  readonly operator: Operator;
  readonly operations: Operations;
  readonly ledger: Ledger;
  readonly sharing: Sharing;
  readonly succession: Succession;
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
  const { store, driver, images, host, now, awake, timers, log, changed, cut } = options;
  const { terms } = options;
  const { bootId } = host;
  const ledger = new Ledger({ store, now, awake, host, everyMillis: AGENT_LIMITS.vms.usageMillis });
  const history = new History(store);
  const leaving = doors(store, (vmId, why) => cut(vmId, undefined, why));
  const observers: Observer[] = [ledger, history, leaving, ...(options.observers ?? [])];
  const recorder = new Recorder({ store, now, observers });
  const leaseClock = new LeaseClock({ facts: store.facts, host, now });
  const mode = new OperatorMode(store.facts);
  const operations = new Operations({ store, recorder, now, log });
  const lifecycle = new Lifecycle({
    ...{ store, recorder, operations, driver, images, bootId, timers, log, changed },
  });
  const intents = new Intents({ recorder, operations, lifecycle, changed });
  const graceMillis = terms.orphanGraceMillis;
  const orphans = new Orphans({ store, driver, operations, leaseClock, graceMillis, log });
  let running: ReadonlySet<string> = new Set();
  const recovery = new Recovery({
    ...{ store, operations, driver, lifecycle, intents, bootId, log, changed },
    mayRun: (vm) => keeper.mayRun(vm),
    seen: (guests, vms) => {
      orphans.seen(guests, vms);
      running = new Set(guests.flatMap(({ vmId, state }) => (state === 'running' ? [vmId] : [])));
    },
  });
  const keeper = new LeaseKeeper({
    ...{ store, recorder, intents, recovery, leaseClock, mode, timers, log },
    leaseGrace: terms.leaseGraceMillis,
  });
  observers.push(keeper.observer);
  grantLeases(store, leaseClock.now() + terms.leaseMillis);

  const letsIn = (requestor: string) => serves(options.policy(), requestor);
  const found = { store, recorder, recovery, leaseClock, mode, serves: letsIn };
  const directory = new Directory(found);
  const commandLog = new CommandLog({ store, now: () => leaseClock.now() });
  const available = () => remaining(options.capacity(), store.vms.taken());
  const closed = () => {
    if (!recovery.reachable) return 'The provider cannot ask its hypervisor at the moment.';
    return mode.closed ?? options.closed?.();
  };
  const room = { store, recorder, commandLog, directory, operations, lifecycle, intents, recovery };
  const access = { serves: letsIn, history };
  const minimum = options.minimum ?? (() => ({ cpus: 1, memoryMiB: 1, storageGiB: 1 }));
  const rules = {
    ...options,
    minimum,
    ...room,
    ...terms,
    ...access,
    leaseClock,
    mode,
    available,
    closed,
  };
  const queries = new VmQueries(rules);
  return {
    creations: new Creations(rules),
    commands: new VmCommands(rules),
    renewals: new Renewals(rules),
    queries,
    operator: new Operator({ ...rules, keeper, orphans }),
    operations,
    ledger,
    sharing: new Sharing({
      ...{ store, commandLog, directory, recorder, now },
      check: (requestor) => checkServed(options.policy(), requestor),
      revoked: (vmId, requestor) => cut(vmId, requestor, new Ending(CLOSE.revoked)),
    }),
    succession: new Succession(rules),
    available,
    closed,
    reconcile: async () => {
      running = new Set();
      await recovery.reconcile();
      ledger.look((vmId) => running.has(vmId));
      leaseClock.save();
      keeper.watch();
    },
    prune: () => {
      const { idempotencyMillis, historyMillis } = AGENT_LIMITS.vms;
      const idempotency = leaseClock.now() - idempotencyMillis;
      store.prune({ idempotency, history: now() - historyMillis });
    },
    [Symbol.asyncDispose]: async () => {
      keeper[Symbol.dispose]();
      history.stop();
      queries.stop();
      await operations.stop();
    },
  };
}

/** VMs from before there were leases get theirs now. */
function grantLeases(store: Store, leaseUntil: number): void {
  store.transaction(() => {
    for (const vm of store.vms.live()) {
      if (vm.leaseUntil === null) store.vms.update(vm.id, { leaseUntil });
    }
  });
}
