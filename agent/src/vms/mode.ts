/** What the operator has told the provider to do about new VMs, and the ones that it has. */
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { VmNotice } from '@vm-on-golem/shared/vm';
import * as z from 'zod';
import type { FactTable } from './store/facts.ts';

const FACT = 'mode';

/**
 * - `open`: new VMs are taken
 * - `paused`: none are; those that are there are left alone
 * - `draining`: none are, and those that are there are stopped at `by`
 */
const modeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('open') }),
  z.object({ kind: z.literal('paused') }),
  z.object({
    kind: z.literal('draining'),
    /** Milliseconds since 1970. */
    by: z.number(),
    /** The operator's words to the owners of VMs. */
    reason: z.string().max(LIMITS.vm.reasonChars).optional(),
  }),
]);
export type Mode = z.infer<typeof modeSchema>;

/** Outlives the agent. */
export class OperatorMode {
  readonly #facts: Pick<FactTable, 'get' | 'put'>;
  #mode: Mode;

  constructor(facts: Pick<FactTable, 'get' | 'put'>) {
    this.#facts = facts;
    this.#mode = facts.get(FACT, modeSchema) ?? { kind: 'open' };
  }

  get current(): Mode {
    return this.#mode;
  }

  /** Takes effect with `reload`, once what it was written with is written too, or has failed. */
  write(mode: Mode): void {
    this.#facts.put(FACT, mode);
  }

  reload(): void {
    this.#mode = this.#facts.get(FACT, modeSchema) ?? { kind: 'open' };
  }

  /** Why no new VMs are taken, in words for requestors. */
  get closed(): string | undefined {
    const mode = this.#mode;
    if (mode.kind === 'open') return undefined;
    if (mode.kind === 'paused') return 'The provider takes no new VMs at the moment.';
    return `The provider takes no new VMs: it stops all of them at ${timeOf(mode.by)}.${said(mode)}`;
  }

  /** What every owner of a VM here is to know. */
  get notice(): VmNotice | undefined {
    const mode = this.#mode;
    if (mode.kind !== 'draining') return undefined;
    const { by, reason } = mode;
    return { kind: 'drain', at: timeOf(by), ...(reason === undefined ? {} : { reason }) };
  }
}

function timeOf(millis: number): string {
  return new Date(millis).toISOString();
}

function said({ reason }: { readonly reason?: string | undefined }): string {
  return reason === undefined ? '' : ` It says: ${reason}`;
}
