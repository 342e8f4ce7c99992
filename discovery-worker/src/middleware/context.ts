import type { VerifiedRequest, WireRequest } from '@vm-on-golem/shared/signing';
import type { Env } from '../env.ts';

/** What handlers find in their context. */
export interface AppEnv {
  Bindings: Env;
  Variables: { requestId: string };
}

/** Behind `signed`. */
export interface SignedEnv extends AppEnv {
  Variables: AppEnv['Variables'] & { signed: Signed };
}

/** A request whose signature holds. */
interface Signed {
  /** As it came, without any header that is not part of a signed request. */
  readonly request: WireRequest;
  readonly proof: VerifiedRequest;
  /** The id that the signer has as what the route expects. */
  readonly signer: string;
}
