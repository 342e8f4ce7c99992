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

/** Whether the command certainly is not, and will not be, carried out. */
export function notCarriedOut(error: GolemError): boolean {
  // What broke inside the provider may have broken after the deed.
  if (error instanceof SignedRefusal) return error.code !== 'internal';
  return neverArrived(error) || REFUSED_BY_DISCOVERY.has(error.code);
}

/** Whether the provider may have got the request: then it alone can say what became of it. */
export function isUnknown(error: GolemError): boolean {
  return !(error instanceof SignedRefusal) && error.retryable && !notCarriedOut(error);
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
