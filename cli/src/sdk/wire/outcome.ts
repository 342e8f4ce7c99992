/** What an error says about a command that was sent: that it was not carried out, or nothing. */
import type { OperationPage } from '@vm-on-golem/shared/api';
import { errorOfWire } from '@vm-on-golem/shared/error-body';
import { GolemError, type ErrorCode } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';

/** An error that the provider itself signed: it got the request, and this is its last word. */
export class SignedRefusal extends GolemError {
  override readonly name: string = 'SignedRefusal';

  static of({ code, message, hint, requestId, retryAfter }: GolemError): SignedRefusal {
    return new SignedRefusal(code, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  }
}

/** The provider's own word that the VM is not there, whoever has removed it. */
export function isGone(error: unknown): boolean {
  return (
    error instanceof SignedRefusal && (error.code === 'vm_not_found' || error.code === 'vm_gone')
  );
}

/** The provider's word that an operation ended, and not well. */
export class OperationFailed extends SignedRefusal {
  /** What is left of the VM; null if nothing is. */
  readonly vm: Vm | null;

  constructor({ error, vm }: Pick<OperationPage, 'error' | 'vm'>) {
    const { code, message, hint } = error ? errorOfWire(error) : new GolemError('internal');
    super(code, message, hint === undefined ? {} : { hint });
    this.vm = vm;
  }
}

/**
 * What a provider signs before it looks whether it has the command already: it says nothing of
 * other tries. `rate_limited` is said before and after.
 */
const OF_THIS_TRY_ONLY: ReadonlySet<ErrorCode> = new Set([
  'bad_signature',
  'clock_skew',
  'stale_request',
  'replayed',
  'rate_limited',
  'provider_busy',
  'provider_not_found',
  'payload_too_large',
]);
/** Discovery's own words for: this provider did not get it. */
const NOT_PASSED_ON: ReadonlySet<ErrorCode> = new Set([
  'provider_offline',
  'provider_busy',
  'provider_not_found',
  'rate_limited',
]);
/** Discovery's own words for: no provider would get this. */
const REFUSED_BY_DISCOVERY: ReadonlySet<ErrorCode> = new Set([
  'invalid_request',
  'bad_signature',
  'clock_skew',
  'payload_too_large',
]);

/** Whether the request certainly never reached the provider, so that another one may be asked. */
export function neverArrived(error: GolemError): boolean {
  if (error instanceof SignedRefusal) return false;
  return NOT_PASSED_ON.has(error.code) || neverLeft(error);
}

/** Whether this try of the command certainly is not, and will not be, carried out. */
export function notCarriedOut(error: GolemError): boolean {
  // What broke inside the provider may have broken after the deed; what is there for the second time
  // may have been carried out the first time.
  if (error instanceof SignedRefusal) return error.code !== 'internal' && error.code !== 'replayed';
  return neverArrived(error) || REFUSED_BY_DISCOVERY.has(error.code);
}

/** Whether this is the provider's word on the command itself, and so on all tries of it. */
export function isDecided(error: unknown): boolean {
  return (
    error instanceof SignedRefusal && notCarriedOut(error) && !OF_THIS_TRY_ONLY.has(error.code)
  );
}

/** Whether the provider may have got the request: then it alone can say what became of it. */
export function isUnknown(error: GolemError): boolean {
  if (error instanceof SignedRefusal) return error.code === 'replayed';
  return error.retryable && !notCarriedOut(error);
}

/** The connection to discovery itself was never made. */
function neverLeft({ code, cause }: GolemError): boolean {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const reason = inner instanceof Error && 'code' in inner ? inner.code : undefined;
  return (
    code === 'discovery_unreachable' &&
    (reason === 'ECONNREFUSED' || reason === 'ENOTFOUND' || reason === 'EAI_AGAIN')
  );
}
