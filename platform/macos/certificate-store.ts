import { KiwiError } from '../../src/core/errors.ts';
import type {
  CertificateStore,
  DeviceCertificate,
  FoundCertificate,
} from '../../src/laptop/system/certificate-store.ts';
import type { DeviceKey } from '../../src/laptop/system/device-key.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { deviceNames } from '../../src/pki/roles.ts';
import { CertificateFiles } from '../unix/certificate-files.ts';
import { readPrivatePem } from './read-private-pem.ts';
import { addCertificate, addPrivateKey, deleteCertificate, keychainCertificates } from './keychain.ts';
import { PATHS } from './paths.ts';
import { at, type MacSystem } from './system.ts';

/**
 * Files for root alone, as on Linux, and the identity in the System keychain, where macOS's own programs (802.1X, VPN) look for it. The file is
 * what the tunnel's key is derived from: a key that the keychain does not give out cannot be used for that.
 */
export class MacCertificateStore implements CertificateStore {
  readonly #system: MacSystem;
  readonly #files: CertificateFiles;

  constructor(system: MacSystem) {
    this.#system = system;
    this.#files = new CertificateFiles(system, PATHS.certificates, () => {
      throw noTpmKeys();
    });
  }

  createDeviceKey(name: string): Promise<DeviceKey> {
    return this.#files.createDeviceKey(name);
  }

  keepTpmKey(): Promise<never> {
    return Promise.reject(noTpmKeys());
  }

  loadDeviceKey(name: string): Promise<DeviceKey | undefined> {
    return this.#files.loadDeviceKey(name);
  }

  async install(name: string, certificate: DeviceCertificate): Promise<void> {
    await this.#files.install(name, certificate);
    await this.#addToKeychain(name, certificate);
  }

  async systemUse(name: string): Promise<string | KiwiError> {
    const leaf = (await this.load(name))?.leaf;
    const isThere = leaf !== undefined && (await this.#inKeychain()).some(({ der }) => der.equals(leaf.der));
    if (isThere) return 'the System keychain has it';
    return new KiwiError('certificate-keyless', { detail: 'the System keychain does not have it' });
  }

  async giveToSystem(name: string): Promise<void> {
    const stored = await this.load(name);
    if (stored === undefined) throw new KiwiError('not-enrolled');
    await this.#addToKeychain(name, stored);
  }

  async #addToKeychain(name: string, { leaf, intermediate }: DeviceCertificate): Promise<void> {
    // First the key: the keychain finds it for the certificate by its public half.
    const pem = await readPrivatePem(at(this.#system, this.#files.paths(name).key));
    await addPrivateKey(this.#system, pem);
    for (const one of [intermediate, leaf]) await addCertificate(this.#system, one, 'program-failed');
    for (const old of await this.#inKeychain()) {
      // Earlier ones for the same key, and so not with it.
      const isOld = old.spki.equals(leaf.spki) && !old.der.equals(leaf.der);
      if (isOld) await deleteCertificate(this.#system, old, 'certificate');
    }
  }

  load(name: string): Promise<DeviceCertificate | undefined> {
    return this.#files.load(name);
  }

  async verify(name: string, certificate: DeviceCertificate): Promise<boolean> {
    if (!(await this.#files.verify(name, certificate))) return false;
    return (await keychainCertificates(this.#system)).some(({ der }) => der.equals(certificate.leaf.der));
  }

  async remove(name: string | undefined): Promise<void> {
    const all = await keychainCertificates(this.#system);
    for (const leaf of all.filter(isOurs)) {
      await deleteCertificate(this.#system, leaf, 'identity');
      const issuers = all.filter((one) => !one.der.equals(leaf.der) && !isSelfSigned(one) && leaf.isSignedBy(one));
      for (const issuer of issuers) await deleteCertificate(this.#system, issuer, 'certificate');
    }
    // The files go last: with them, a removal that was interrupted is seen.
    await this.#files.remove(name);
  }

  async found(): Promise<readonly FoundCertificate[]> {
    const stored = (await this.#inKeychain()).map((leaf) => ({
      what: `System keychain: ${leaf.subject.cn ?? 'a device'}`,
      ours: true,
    }));
    return [...(await this.#files.found()), ...stored];
  }

  paths(name: string): { certificate: string; key: string; roots: string } {
    return this.#files.paths(name);
  }

  /** Certificates of devices: they name one. */
  async #inKeychain(): Promise<Certificate[]> {
    return (await keychainCertificates(this.#system)).filter(isOurs);
  }
}

const isOurs = (certificate: Certificate): boolean => deviceNames(certificate.sanUris) !== undefined;
const isSelfSigned = (certificate: Certificate): boolean => certificate.isSignedBy(certificate);

const noTpmKeys = (): KiwiError =>
  new KiwiError('tpm-missing', { detail: 'keys in the Secure Enclave are not supported yet' });
