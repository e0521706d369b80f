import type { KeyObject } from 'node:crypto';

import type { Certificate } from '../../pki/certificate.ts';

/** A device certificate as stored: the leaf, the customer's intermediate, and the roots it chains to. */
export interface DeviceCertificate {
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly roots: readonly Certificate[];
}

/**
 * Where the operating system keeps the device key and certificate, under a name that the caller chooses (a host name or
 * slug). Obligations of an implementation:
 * - `createDeviceKey` returns the existing key, or creates one and returns it only after it is stored durably: a key that was
 *   returned must still be there after a crash.
 * - only root can read the key. Each file is replaced atomically.
 * - `install` refuses a certificate for another key, and may be repeated with a newer certificate.
 * - `remove` removes everything of that name, and what `install` put beside it; repeated, it changes nothing.
 * - `load…` return undefined when there is nothing, and throw `state-damaged` when there is something unreadable.
 */
export interface CertificateStore {
  createDeviceKey(name: string): Promise<KeyObject>;
  loadDeviceKey(name: string): Promise<KeyObject | undefined>;
  install(name: string, certificate: DeviceCertificate): Promise<void>;
  load(name: string): Promise<DeviceCertificate | undefined>;
  /** True when exactly this certificate is stored, for the stored key. */
  verify(name: string, certificate: DeviceCertificate): Promise<boolean>;
  remove(name: string): Promise<void>;
  /** For people and for other programs' configuration. */
  paths(name: string): { readonly certificate: string; readonly key: string; readonly roots: string };
}
