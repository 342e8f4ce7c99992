/**
 * The one table of errors: what the wire calls it, its HTTP status, the exit code of a command
 * that ends with it, and whether the same request may be sent again as it is. Loads no schemas: a
 * command line that asks nobody is not kept waiting for them.
 */
import type { ZodError } from 'zod';

/** Exit codes of `golem` and `golem-provider`. 255 is OpenSSH's own code for a lost transport. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  conflict: 5,
  noCapacity: 6,
  unreachable: 7,
  timeout: 8,
  rateLimited: 9,
  interrupted: 130,
  transport: 255,
} as const;

interface ErrorRow {
  /** HTTP status; `null` for errors that never cross the wire. */
  readonly status: number | null;
  readonly exit: (typeof EXIT)[keyof typeof EXIT];
  readonly retryable: boolean;
  /** Said when the thrower has nothing more precise to say. */
  readonly message: string;
}

const row = (
  status: number | null,
  exit: ErrorRow['exit'],
  retryable: boolean,
  message: string,
): ErrorRow => ({ status, exit, retryable, message });

export const ERRORS = {
  invalid_request: row(400, EXIT.usage, false, 'The request is not valid.'),
  bad_signature: row(401, EXIT.denied, false, 'The request is not signed as it must be.'),
  clock_skew: row(401, EXIT.denied, false, 'The clocks of the two machines differ too much.'),
  stale_request: row(
    401,
    EXIT.denied,
    true,
    'The request is older than the agent that received it.',
  ),
  replayed: row(401, EXIT.denied, false, 'This signed request was already used.'),
  forbidden: row(403, EXIT.denied, false, 'This key may not do that.'),
  not_found: row(404, EXIT.notFound, false, 'There is no such thing.'),
  vm_not_found: row(404, EXIT.notFound, false, 'This key has no such VM on this provider.'),
  provider_not_found: row(404, EXIT.notFound, false, 'No provider has this id.'),
  operation_not_found: row(404, EXIT.notFound, false, 'This key has no such operation.'),
  session_not_found: row(404, EXIT.notFound, false, 'There is no such relay session.'),
  vm_gone: row(410, EXIT.notFound, false, 'The VM is not there any more.'),
  vm_exists: row(409, EXIT.conflict, false, 'A VM of this name exists already.'),
  wrong_state: row(409, EXIT.conflict, false, 'The VM is not in a state that allows this.'),
  idempotency_conflict: row(
    409,
    EXIT.conflict,
    false,
    'This idempotency key was used for another request.',
  ),
  duplicate_identity: row(409, EXIT.conflict, false, 'Another agent with this key is connected.'),
  stale_epoch: row(409, EXIT.conflict, true, 'A newer connection of this party exists.'),
  no_capacity: row(409, EXIT.noCapacity, false, 'The provider has no room for this VM.'),
  price_too_high: row(409, EXIT.noCapacity, false, 'The price is above the limit of the request.'),
  payload_too_large: row(413, EXIT.usage, false, 'The request is too large.'),
  image_unknown: row(422, EXIT.usage, false, 'The provider does not offer this image.'),
  unsupported: row(501, EXIT.failure, false, 'The provider cannot do this.'),
  incompatible: row(501, EXIT.failure, false, 'The two programs are too far apart in age.'),
  rate_limited: row(429, EXIT.rateLimited, true, 'Too many requests.'),
  internal: row(500, EXIT.failure, false, 'Something broke that should not have.'),
  launch_failed: row(500, EXIT.failure, false, 'The VM could not be started.'),
  provider_offline: row(503, EXIT.unreachable, true, 'The provider is not connected.'),
  provider_busy: row(503, EXIT.unreachable, true, 'The provider has too many requests in flight.'),
  link_lost: row(
    503,
    EXIT.unreachable,
    true,
    "The provider's connection broke before it answered.",
  ),
  draining: row(503, EXIT.unreachable, false, 'The provider takes no new VMs at the moment.'),
  provider_timeout: row(
    504,
    EXIT.timeout,
    true,
    'The provider did not answer in time; the outcome is unknown.',
  ),

  usage: row(null, EXIT.usage, false, 'The command line is not valid.'),
  discovery_unreachable: row(
    null,
    EXIT.unreachable,
    true,
    'The discovery service cannot be reached.',
  ),
  file_exists: row(null, EXIT.conflict, false, 'There is a file in its place.'),
  not_running: row(null, EXIT.unreachable, false, 'No golem-provider runs here.'),
  untrusted_answer: row(
    null,
    EXIT.denied,
    false,
    "An answer did not carry the provider's signature.",
  ),
  host_key_changed: row(null, EXIT.denied, false, "The guest's host key is not the known one."),
  needs_input: row(null, EXIT.usage, false, 'There is nobody here to ask.'),
  no_match: row(null, EXIT.noCapacity, false, 'No provider offers this.'),
  still_booting: row(null, EXIT.timeout, true, 'The VM is still booting.'),
  relay_failed: row(null, EXIT.transport, true, 'The connection through the relay ended.'),
  interrupted: row(null, EXIT.interrupted, false, 'Interrupted.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** A message may quote what was refused, which may be long: it is cut so that the answer can be read. */
export const MAX_TEXT_CHARS = 2000;

/** The one shape of an error on the wire; its schema is in `error-body.ts`. */
export interface ErrorBody {
  error: {
    code: ErrorCode;
    message: string;
    hint?: string | undefined;
    retryable: boolean;
    requestId?: string | undefined;
    /** Seconds to wait before the request is worth sending again. */
    retryAfter?: number | undefined;
  };
}

export interface ErrorDetails extends ErrorOptions {
  /** What the reader can do about it, as one sentence. */
  readonly hint?: string;
  readonly requestId?: string;
  readonly retryAfter?: number;
}

export class GolemError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string = ERRORS[code].message, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GolemError';
    this.code = code;
    this.hint = details.hint;
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }

  /** HTTP status; an error that has none on the wire is an `internal` one to whoever is outside. */
  get status(): number {
    return ERRORS[this.code].status ?? 500;
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  toBody(requestId: string | undefined = this.requestId): ErrorBody {
    return {
      error: {
        code: this.code,
        message: this.message.slice(0, MAX_TEXT_CHARS),
        ...(this.hint === undefined ? {} : { hint: this.hint.slice(0, MAX_TEXT_CHARS) }),
        retryable: this.retryable,
        ...(requestId === undefined ? {} : { requestId }),
        ...(this.retryAfter === undefined ? {} : { retryAfter: this.retryAfter }),
      },
    };
  }
}

/** Turns what a zod schema refused into the one error, naming the field and what was wrong. */
export function invalid(what: string, error: ZodError): GolemError {
  const issue = error.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return new GolemError(
    'invalid_request',
    `${what} is not valid: ${where}${issue?.message ?? 'unknown reason'}`,
    issue?.code === 'unrecognized_keys'
      ? { hint: 'If a newer version knows the field, what refused it here needs an update.' }
      : {},
  );
}
