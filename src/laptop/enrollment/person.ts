import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { PinState } from '../../token/token.ts';

/** What the person is told and asked during an enrollment; the command line, the window and tests each have their own. */
export interface Person {
  /** No YubiKey with a KiwiStack certificate is plugged in; it is waited for. */
  waitingForKey(): void;
  /** Several keys fit. @returns the serial of one of them; absent: several keys are an error */
  chooseKey?(keys: readonly { serial: number; role?: string; customer?: string }[]): Promise<number>;
  keyFound(key: { serial: number; role: string; customer: string }): void;
  /** The other side proved to be this customer's slice. Comes before the PIN. */
  sliceProven(slice: { customer: string; gatewayUrl: string; code: string; skewMs: number }): void;
  /** Called at most once an enrollment. The caller of this clears the PIN. */
  askPin(key: { serial: number; state: PinState }): Promise<SecretBytes>;
  /** The key waits for a touch now, for about 15 seconds. */
  touchExpected(): void;
  touched(): void;
}
