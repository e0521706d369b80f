import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { Platform } from './platform.ts';

/** What every operation on this laptop is given. An operation without a person and a YubiKey needs nothing more. */
export interface LaptopContext {
  readonly platform: Platform;
  readonly clock: Clock;
  /** The request to stop. */
  readonly signal: AbortSignal;
  /** The provider's roots that this laptop trusts, pinned by its package. */
  readonly roots: readonly Certificate[];
  /** Tells the person what an operation waits for, when that may take long. No secret. */
  readonly waiting?: (what: string) => void;
  /** What a service says for whoever reads its log; absent where a person reads the output. */
  readonly log?: Log;
}
