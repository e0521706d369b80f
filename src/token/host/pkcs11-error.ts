import type { ErrorCode } from '../../core/error-codes.ts';

/** The return values of PKCS#11 that we tell apart (PKCS#11 2.40, section 5.1, and what libykcs11 makes of card errors). */
export const CKR = {
  functionFailed: 0x6,
  argumentsBad: 0x7,
  deviceError: 0x30,
  deviceRemoved: 0x32,
  pinIncorrect: 0xa0,
  pinLocked: 0xa4,
  tokenNotPresent: 0xe0,
  userNotLoggedIn: 0x101,
  bufferTooSmall: 0x150,
} as const;

/** What the host answers instead of a result. */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: ErrorCode;
  readonly pin: 'ok' | 'low' | 'final' | 'locked' | undefined;

  constructor(code: ErrorCode, detail: string, pin?: HostError['pin'], cause?: unknown) {
    super(detail, { cause });
    this.code = code;
    this.pin = pin;
  }
}

/** The CKR value of an error thrown by pkcs11js; undefined for any other error. */
export function returnValue(error: unknown): number | undefined {
  return error instanceof Error && error.name === 'Pkcs11Error' && 'code' in error && typeof error.code === 'number'
    ? error.code
    : undefined;
}

/** "CKR_DEVICE_ERROR in C_Sign": for the log; never contains an argument. */
export function describe(error: unknown, call: string): string {
  const value = returnValue(error);
  if (value !== undefined) return `${(error as Error).message.slice(0, 60)} (0x${value.toString(16)}) in ${call}`;
  return `${error instanceof Error ? error.name : 'error'} in ${call}`;
}
