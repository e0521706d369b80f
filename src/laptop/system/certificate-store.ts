import type { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { TpmKeyParts } from '../../pki/tpm-key-file.ts';
import type { DeviceKey } from './device-key.ts';
import type { Found } from './found.ts';

/** A device certificate as stored: the leaf, the customer's intermediate, and the roots it chains to. */
export interface DeviceCertificate {
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly roots: readonly Certificate[];
  /** The gateway of the slice that issued it; absent in what version 0.1.0 stored. */
  readonly gatewayUrl?: string | undefined;
}

/** A file of a device certificate, and which device it is for, as far as the file says so. */
export interface FoundCertificate extends Found {
  readonly name?: string;
  readonly device?: { readonly deviceId: string; readonly customer: string; readonly gatewayUrl: string | undefined };
}

/**
 * Where the operating system keeps the device key and certificate, under a name that the caller chooses (a host name or
 * slug). Obligations of an implementation:
 * - `createDeviceKey` returns the existing key, or creates one and returns it only after it is stored durably: a key that was
 *   returned must still be there after a crash.
 * - `keepTpmKey` puts a key of the TPM in the place of the one that is there, in one step, and as durably.
 * - only root can read the key. Each file is replaced atomically.
 * - `install` refuses a certificate for another key, and may be repeated with a newer certificate.
 * - `remove` removes everything of that name and everything that `found` calls ours, with what `install` put beside it; what
 *   `install` replaced comes back with its mode and owner. Repeated, it changes nothing.
 * - `found` changes nothing and needs no record.
 * - `systemUse` changes nothing. What it finds wrong keeps nothing of ours from working, and `install` does not fail for it.
 * - `load…` return undefined when there is nothing, and throw `state-damaged` when there is something unreadable.
 */
export interface CertificateStore {
  createDeviceKey(name: string): Promise<DeviceKey>;
  keepTpmKey(name: string, key: TpmKeyParts): Promise<DeviceKey>;
  /** Does not ask the TPM: whether it still holds such a key shows when the key is used (`tpm-key-gone`). */
  loadDeviceKey(name: string): Promise<DeviceKey | undefined>;
  install(name: string, certificate: DeviceCertificate): Promise<void>;
  load(name: string): Promise<DeviceCertificate | undefined>;
  /** True when exactly this certificate is stored, for the stored key. */
  verify(name: string, certificate: DeviceCertificate): Promise<boolean>;
  /**
   * How programs of the system itself (Wi-Fi, VPN) get at certificate and key: a phrase, or why they cannot, which is `certificate-keyless`.
   */
  systemUse(name: string): Promise<string | KiwiError>;
  /** Gives certificate and key to the system again. @throws KiwiError `certificate-keyless`, with what stands in the way */
  giveToSystem(name: string): Promise<void>;
  remove(name: string | undefined): Promise<void>;
  found(): Promise<readonly FoundCertificate[]>;
  /** For people and for other programs' configuration. */
  paths(name: string): { readonly certificate: string; readonly key: string; readonly roots: string };
}
