/** Ends what is to end, when its time has come, and sleeps until then. */
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import { AGENT_LIMITS } from '../../limits.ts';
import type { Intents } from '../intents.ts';
import type { OperatorMode } from '../mode.ts';
import type { Observer, Recorder } from '../recorder.ts';
import type { VmRecord } from '../records.ts';
import type { Recovery } from '../recovery.ts';
import type { Store } from '../store/store.ts';
import type { LeaseClock } from './clock.ts';
import { plan, type Due, type Ending, type Terms } from './plan.ts';

export interface KeeperOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly intents: Intents;
  readonly recovery: Pick<Recovery, 'isUnknown'>;
  readonly leaseClock: LeaseClock;
  readonly mode: OperatorMode;
  readonly timers: Timers;
  readonly log: Logger;
  /** How long the disk of a VM is kept whose lease has ended, in milliseconds. */
  readonly leaseGrace: number;
}

export class LeaseKeeper implements Disposable {
  readonly #options: KeeperOptions;
  #cancel = () => {};
  #state: 'waiting' | 'watching' | 'ended' = 'waiting';
  #isDue = false;
  /** When VMs that are held and run nevertheless were last told to stop. */
  readonly #tried = new Map<string, number>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Has it look again after whatever changes about VMs. */
  readonly observer: Observer = { changed: () => this.#lookSoon() };

  /** To be called once it is known which guests there are, and whenever that is known anew. */
  watch(): void {
    if (this.#state === 'ended') return;
    this.#state = 'watching';
    this.look();
  }

  /** Where nobody would hear of a failure: a full disk must not end the agent. */
  #lookByItself(): void {
    try {
      this.look();
    } catch (error) {
      const { log, timers } = this.#options;
      log.error({ err: error }, 'it cannot be looked after the time of VMs');
      this.#cancel();
      this.#cancel = timers.after(AGENT_LIMITS.vms.leaseLookMillis, () => this.#lookByItself());
    }
  }

  /** Whether its time is not over. */
  mayRun(vm: VmRecord): boolean {
    const { due } = plan([vm], this.#options.leaseClock.now(), this.#terms());
    return due.every(({ action }) => action === 'release');
  }

  /** Does what is due. */
  look(): void {
    if (this.#state !== 'watching') return;
    const { store, recovery, leaseClock, timers } = this.#options;
    const now = leaseClock.now();
    const known = store.vms.live().filter((vm) => !recovery.isUnknown(vm.id));
    const { due, next } = plan(known, now, this.#terms());
    const byId = new Map(known.map((vm) => [vm.id, vm]));
    for (const one of due) {
      const vm = byId.get(one.vmId);
      if (!vm || (one.action === 'hold' && this.#wasTried(vm, now))) continue;
      this.#carryOut(one, vm);
    }
    for (const id of this.#tried.keys()) if (!byId.has(id)) this.#tried.delete(id);
    this.#cancel();
    if (next === undefined && due.length === 0) return;
    // Timers stand still while the machine sleeps.
    const wait = Math.min((next ?? Infinity) - now, AGENT_LIMITS.vms.leaseLookMillis);
    this.#cancel = timers.after(wait, () => this.#lookByItself());
  }

  [Symbol.dispose](): void {
    this.#state = 'ended';
    this.#cancel();
  }

  /** Whether it was to be stopped a moment ago: a guest that does not stop is not told all the time. */
  #wasTried({ id, hold }: VmRecord, now: number): boolean {
    const last = this.#tried.get(id);
    if (hold && last !== undefined && now - last < AGENT_LIMITS.vms.leaseLookMillis) return true;
    this.#tried.set(id, now);
    return false;
  }

  #terms(): Terms {
    const { mode, leaseClock, leaseGrace } = this.#options;
    const { current } = mode;
    return {
      drainAt: current.kind === 'draining' ? leaseClock.fromWall(current.by) : undefined,
      leaseGrace,
      drainGrace: AGENT_LIMITS.vms.drainGraceMillis,
    };
  }

  #carryOut(due: Due, vm: VmRecord): void {
    const { store, recorder, intents, log } = this.#options;
    const what = due.action === 'release' ? 'a VM may run again' : 'the time of a VM is over';
    log.info({ due }, what);
    const intent = store.transaction(() => {
      if (due.action === 'destroy') {
        const message = ENDED[due.why];
        const change = { goneBy: 'agent', goneWhy: message } as const;
        return intents.begin(vm, 'destroy', { actor: 'agent', change, message });
      }
      if (due.action === 'release') {
        const free = recorder.update(vm.id, { hold: null }) ?? vm;
        return due.start ? intents.begin(free, 'start', { actor: 'agent' }) : undefined;
      }
      const { hold } = due;
      if (!vm.hold) recorder.happened({ vmId: vm.id, kind: HELD[hold.why], by: 'agent' });
      if (vm.phase === 'running')
        return intents.begin(vm, 'stop', { actor: 'agent', change: { hold } });
      recorder.update(vm.id, { hold });
      return undefined;
    });
    if (intent) intents.carryOut(intent);
  }

  #lookSoon(): void {
    if (this.#isDue || this.#state !== 'watching') return;
    this.#isDue = true;
    // Behind the transaction that something is being changed in.
    queueMicrotask(() => {
      this.#isDue = false;
      this.#lookByItself();
    });
  }
}

const HELD = { lease: 'lease.ended', drain: 'drain.stopped' } as const;

const ENDED: Readonly<Record<Ending, string>> = {
  ttl: 'Its owner gave it so long to live, and no longer.',
  uncollected: 'Nobody asked about it after it was ordered.',
  lease: 'Its lease had ended and was not renewed in time.',
  drain: 'The provider has stopped serving, and kept its disk for a while.',
};
