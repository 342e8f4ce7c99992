/** What the routes of the agent's API get with every request. */
import type { WireRequest } from '@vm-on-golem/shared/signing';
import type { Admitted } from './gate.ts';

export interface ApiEnv {
  Bindings: {
    /** As it came: signatures cover these very strings. */
    readonly wire: WireRequest;
    /** Nobody waits for the answer any more. */
    readonly signal: AbortSignal;
  };
  Variables: { admitted: Admitted };
}
