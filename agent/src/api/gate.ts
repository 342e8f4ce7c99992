/**
 * Every request is checked here again, by the agent itself: discovery may have dropped it, delayed
 * it or made it up, and nothing that it says about who asks is believed.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { NonceMemory } from '@vm-on-golem/shared/nonces';
import {
  signerId,
  verifyRequest,
  type VerifiedRequest,
  type WireRequest,
} from '@vm-on-golem/shared/signing';

export interface GateOptions {
  /** `gp_...` of this provider. */
  readonly provider: string;
  /** URL of the one discovery service that this agent is connected to. */
  readonly discovery: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface Admitted {
  /** `gr_...` of the key that signed. */
  readonly requestor: string;
  readonly proof: VerifiedRequest;
  /** The path behind `/v1/providers/{this one}`. */
  readonly path: string;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #nonces = new NonceMemory();
  /** Seconds since 1970. Nonces from before are forgotten, so nothing from before is let in. */
  readonly #startedAt: number;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#startedAt = Math.floor(options.now() / 1000);
  }

  /**
   * Lets a request in once.
   * @throws {GolemError} `bad_signature`, `clock_skew`, `stale_request`, `replayed`, `rate_limited`,
   * `provider_not_found`
   */
  async admit(request: WireRequest): Promise<Admitted> {
    const { provider, discovery, now } = this.#options;
    if (request.url.length > LIMITS.request.urlBytes) throw new GolemError('payload_too_large');
    const proof = await verifyRequest(request, { now });
    const url = new URL(request.url);
    const { host } = new URL(discovery);
    if (url.host !== host) {
      throw new GolemError('bad_signature', `The request was signed for ${url.host}.`, {
        hint: `This provider answers at ${host} alone.`,
      });
    }
    const prefix = `/v1/providers/${provider}/`;
    if (!url.pathname.startsWith(prefix)) {
      throw new GolemError('provider_not_found', 'The request is for another provider.');
    }
    if (proof.created <= this.#startedAt) throw new GolemError('stale_request');
    this.#nonces.admit(proof, now() / 1000);
    return {
      requestor: await signerId('requestor', proof),
      proof,
      path: url.pathname.slice(prefix.length - 1),
    };
  }
}
