import { ERROR_CODES, EXIT, type ErrorCode, type ErrorEntry } from './error-codes.ts';
import { systemErrorCode } from './system-error-code.ts';

export interface KiwiErrorOptions {
  /** For the log and for `details:` of the command line. Never a secret. */
  readonly detail?: string;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly requestId?: string;
  /** Milliseconds: when the one who refuses wants to be asked again. */
  readonly retryAfterMs?: number;
  /** The time of the one who refuses, milliseconds since 1970; nobody has signed it. */
  readonly saidAt?: number;
  readonly cause?: unknown;
}

/**
 * An expected failure. `message` and `hint` are for the person, `detail` and `cause` for the reader of the log. Programming
 * mistakes are not KiwiErrors: they throw TypeError and crash.
 */
export class KiwiError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  /** The hint of the programs that an operator runs. */
  readonly operatorHint: string;
  readonly retryable: boolean;
  readonly detail: string | undefined;
  /** The gateway's request id, when it was the gateway that refused. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly saidAt: number | undefined;

  constructor(code: ErrorCode, options: KiwiErrorOptions = {}) {
    const entry: ErrorEntry = ERROR_CODES[code];
    super(entry.message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'KiwiError';
    this.code = code;
    this.hint = options.hint ?? entry.hint;
    this.operatorHint = options.hint ?? entry.operatorHint ?? entry.hint;
    this.retryable = options.retryable ?? entry.retryable;
    this.detail = options.detail;
    this.requestId = options.requestId;
    this.retryAfterMs = options.retryAfterMs;
    this.saidAt = options.saidAt;
  }

  /** The same failure, with something said otherwise; what it comes from is kept. */
  with(said: KiwiErrorOptions): KiwiError {
    const { hint, retryable, detail, requestId, retryAfterMs, saidAt, cause } = this;
    const own = this.hint === ERROR_CODES[this.code].hint ? {} : { hint };
    const known = { detail, requestId, retryAfterMs, saidAt };
    const there = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
    return new KiwiError(this.code, { cause: cause ?? this, retryable, ...own, ...there, ...said });
  }

  /** The exit code of the command that ends with this error. */
  get exitCode(): number {
    return EXIT[ERROR_CODES[this.code].exit];
  }
}

/** Anything thrown, as a KiwiError: ours unchanged, an abort as `cancelled`, the rest as `internal` with its cause kept. */
export function toKiwiError(thrown: unknown): KiwiError {
  if (thrown instanceof KiwiError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') return new KiwiError('cancelled', { cause: thrown });
  const code = systemErrorCode(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new KiwiError('disk-full', { cause: thrown });
  // Of a file: the network denies access with the same codes.
  if ((code === 'EACCES' || code === 'EPERM') && thrown instanceof Error && 'path' in thrown) {
    return new KiwiError('access-denied', { detail: thrown.message, cause: thrown });
  }
  if (code === 'EROFS') return new KiwiError('read-only-file-system', { cause: thrown });
  return new KiwiError('internal', { cause: thrown, detail: thrown instanceof Error ? thrown.message : 'unknown' });
}

/**
 * Compile-time proof that a `switch` over a union covers it; a TypeError when a value does not match its type at run time.
 */
export function never(value: never): never {
  throw new TypeError(`unexpected value: ${JSON.stringify(value)}`);
}
