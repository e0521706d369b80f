/** Exit codes of the commands: see docs/error-codes.md. */
export const EXIT = {
  done: 0,
  usage: 2,
  person: 3,
  refused: 4,
  unreachable: 5,
  machine: 6,
  fault: 7,
  cancelled: 130,
} as const;

export type ExitKind = keyof typeof EXIT;

export interface ErrorEntry {
  /** Which exit code a command ends with. */
  readonly exit: ExitKind;
  /** HTTP status when the gateway answers with it; absent for errors that never cross the wire. */
  readonly http?: number;
  /** True when the same request may succeed later without anybody doing anything else. */
  readonly retryable: boolean;
  /** One short sentence for the person. */
  readonly message: string;
  /** What to do next, for a member of staff at a laptop. */
  readonly hint: string;
  /** The same for an operator at a slice, where it differs. */
  readonly operatorHint?: string;
}

/** Writes one row of the table of error codes. */
export const entry = (
  exit: ExitKind,
  message: string,
  hint: string,
  more: { http?: number; retryable?: boolean; operatorHint?: string } = {},
): ErrorEntry => ({
  exit,
  message,
  hint,
  retryable: more.retryable ?? false,
  ...(more.http === undefined ? {} : { http: more.http }),
  ...(more.operatorHint === undefined ? {} : { operatorHint: more.operatorHint }),
});
