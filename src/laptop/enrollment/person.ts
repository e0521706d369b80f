import type { ErrorCode } from '../../core/error-codes.ts';
import type { KiwiError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { PinState } from '../../token/token.ts';

/** What the person is told and asked during an enrollment; the command line, the window and the tests each implement it. */
export interface Person {
  /** No YubiKey with a KiwiStack certificate can be used; the enrollment waits for one. Called again when the reason changes. */
  waitingForKey(why: KiwiError): void;
  /** Several keys match. Without this method that is an error. @returns the serial of the chosen key */
  chooseKey?(keys: readonly { serial: number; role?: string; customer?: string }[]): Promise<number>;
  keyFound(key: { serial: number; role: string; customer: string }): void;
  /**
   * The other side has proved that it is this customer's slice. Called before the PIN is asked for. `keyInFile`: it would like the device
   * key in the TPM, and this is why the key stays in a file.
   */
  sliceProven(slice: {
    customer: string;
    gatewayUrl: string;
    code: string;
    skewMs: number;
    keyInFile?: ErrorCode;
  }): void;
  /**
   * Called again with the reason when a PIN was wrong, or could not be one; who cannot be asked again throws the reason. The
   * caller clears the PIN.
   */
  askPin(key: { serial: number; state: PinState; refused?: KiwiError }): Promise<SecretBytes>;
  /** The key now waits for a touch, for about 15 seconds. */
  touchExpected(): void;
  touched(): void;
}
