/**
 * Lease time: milliseconds in which this machine was up. It began as the wall clock and goes on with
 * the machine's own uptime, so that nobody's VM ends because somebody set the clock, and a machine
 * that was off for a week comes back with the leases that it had. While the machine sleeps it goes on.
 */
import * as z from 'zod';
import { AGENT_LIMITS } from '../../limits.ts';
import type { FactTable } from '../store/facts.ts';

export interface Host {
  /** Another one after every start of the machine. */
  readonly bootId: string;
  /** Milliseconds since the machine was started, asleep or awake. */
  uptime(): number;
}

const FACT = 'lease-clock';
const anchorSchema = z.object({
  boot: z.string(),
  /** Milliseconds of uptime at which it was `at`. */
  up: z.number(),
  /** Lease time. */
  at: z.number(),
});
type Anchor = z.infer<typeof anchorSchema>;

/** Where lease time stands when the agent starts. Pure. */
export function goOn(saved: Anchor | undefined, boot: string, up: number, wall: number): Anchor {
  if (!saved) return { boot, up, at: wall };
  // How long the machine was off only the wall clock could say, and that is not believed.
  if (saved.boot !== boot || up < saved.up) return { boot, up, at: saved.at };
  return { boot, up, at: saved.at + up - saved.up };
}

export interface LeaseClockOptions {
  readonly facts: Pick<FactTable, 'get' | 'put'>;
  readonly host: Host;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

export class LeaseClock {
  readonly #options: LeaseClockOptions;
  #anchor: Anchor;
  /** What the wall clock is ahead of lease time. */
  #ahead: number;
  #savedAt = -Infinity;

  constructor(options: LeaseClockOptions) {
    this.#options = options;
    const { facts, host, now } = options;
    this.#anchor = goOn(facts.get(FACT, anchorSchema), host.bootId, host.uptime(), now());
    this.#ahead = now() - this.#anchor.at;
    this.save();
  }

  now(): number {
    const up = this.#options.host.uptime();
    // An uptime that falls is that of a container which was moved: time stands still for a moment.
    const passed = Math.max(0, up - this.#anchor.up);
    this.#anchor = { ...this.#anchor, up, at: this.#anchor.at + passed };
    return this.#anchor.at;
  }

  /** What the wall clock will show at a lease time. */
  toWall(leaseTime: number): number {
    return leaseTime + this.#aheadNow();
  }

  fromWall(millis: number): number {
    return millis - this.#aheadNow();
  }

  /** Writes down now and then where it stands: a machine that is restarted goes on from there. */
  save(): void {
    const now = this.now();
    if (now - this.#savedAt < AGENT_LIMITS.vms.leaseClockMillis) return;
    this.#options.facts.put(FACT, this.#anchor);
    this.#savedAt = now;
  }

  /** The same for as long as nobody sets the clock, so that what is shown does not flicker. */
  #aheadNow(): number {
    const ahead = this.#options.now() - this.now();
    if (Math.abs(ahead - this.#ahead) > STEADY_MILLIS) this.#ahead = ahead;
    return this.#ahead;
  }
}

const STEADY_MILLIS = 1000;
