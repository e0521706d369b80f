import type { ErrorCode } from '../../../../../core/error-codes.ts';
import type { OPERATOR_CODES } from '../../../../../core/operator-codes.ts';
import type { SLICE_CODES } from '../../../../../core/slice-codes.ts';

/** What can reach a laptop: every code except those of the slice's own machine. One that lacks a text does not compile. */
export type ShownCode = Exclude<ErrorCode, keyof typeof SLICE_CODES | keyof typeof OPERATOR_CODES>;

/** What a person can do. Many errors have the same. */
export type Advice =
  | 'again'
  | 'againOperator'
  | 'operator'
  | 'update'
  | 'reinstall'
  | 'provider'
  | 'admin'
  | 'named'
  | 'restart'
  | 'network'
  | 'otherNetwork'
  | 'vpn'
  | 'proxy'
  | 'clock'
  | 'space'
  | 'plug'
  | 'key'
  | 'oneKey'
  | 'keyOperator'
  | 'noKey'
  | 'replug'
  | 'closePrograms'
  | 'pin'
  | 'unblock'
  | 'touch'
  | 'quick'
  | 'wait'
  | 'finishOther'
  | 'nothing'
  | 'fix'
  | 'renew'
  | 'leave'
  | 'enroll'
  | 'consent'
  | 'noPin'
  | 'tpm'
  | 'otherLaptop'
  | 'browser'
  | 'approve'
  | 'removeProfile'
  | 'ready';

/** The sentences of one language. */
export interface ErrorTexts {
  readonly messages: Readonly<Record<ShownCode, string>>;
  readonly advice: Readonly<Record<Advice, string>>;
}
