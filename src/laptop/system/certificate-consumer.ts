/**
 * A program of the operating system that works with the device certificate, and has to be told that there is a new one. The tunnel and
 * the Fleet agent are none: the tunnel's key is derived from the device key, which stays, and the agent has a key of its own.
 */
export interface CertificateConsumer {
  readonly name: string;
  /** True when it is set up here with the certificate in this file. Changes nothing, and is false where the program is not installed. */
  uses(certificateFile: string): Promise<boolean>;
  /** Has it use the new certificate; safe to repeat. @throws KiwiError `program-failed` when it is not seen to be up again */
  renew(certificateFile: string): Promise<void>;
}
