import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import type { CertificateStore, DeviceCertificate } from '../../src/laptop/system/certificate-store.ts';
import { CertificateError, parsePemBundle } from '../../src/pki/certificate.ts';
import { generateP256, spkiDer } from '../../src/pki/keys.ts';
import { hostName } from '../../src/protocol/common.ts';
import { PATHS } from './paths.ts';
import { at, type LinuxSystem } from './system.ts';

const MAX_FILE = 64 * 1024;
/** A root_ca.crt that is not ours is kept with this suffix until ours is removed. */
const KEPT = '.before-kiwistack';

/** smallstep's layout: NAME.crt (leaf, intermediate), NAME.key, root_ca.crt; folders 0700, keys 0600. */
export class StepCertificateStore implements CertificateStore {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async createDeviceKey(name: string): Promise<KeyObject> {
    const existing = await this.loadDeviceKey(name);
    if (existing !== undefined) return existing;
    const key = generateP256();
    await this.#makeFolder();
    const pem = Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
    try {
      await writeDurableFile(this.#files(name).key, pem, 0o600);
    } finally {
      pem.fill(0);
    }
    return key;
  }

  async loadDeviceKey(name: string): Promise<KeyObject | undefined> {
    const file = this.#files(name).key;
    const pem = await read(file, true);
    if (pem === undefined) return undefined;
    try {
      return createPrivateKey(pem);
    } catch (error) {
      // OpenSSL's message probably quotes nothing of the key, but we do not rely on that: the detail names only the file.
      throw new KiwiError('state-damaged', { detail: `${file}: not a private key`, cause: error });
    } finally {
      pem.fill(0);
    }
  }

  async install(name: string, certificate: DeviceCertificate): Promise<void> {
    const key = await this.loadDeviceKey(name);
    if (key === undefined || !spkiDer(key).equals(certificate.leaf.spki)) {
      throw new KiwiError('grant-invalid', { detail: 'the certificate is for another key' });
    }
    const files = this.#files(name);
    await this.#makeFolder();
    const roots = rootsText(certificate);
    const present = await read(files.roots, false);
    if (
      present !== undefined &&
      present.toString() !== roots &&
      (await read(files.roots + KEPT, false)) === undefined
    ) {
      await writeDurableFile(files.roots + KEPT, present, 0o600);
    }
    // The chain comes first: it tells `remove` whether the roots file is ours, even after a crash between the two writes.
    await writeDurableFile(files.certificate, chainText(certificate), 0o644);
    await writeDurableFile(files.roots, roots, 0o644);
  }

  async load(name: string): Promise<DeviceCertificate | undefined> {
    const files = this.#files(name);
    const [chain, roots] = [await read(files.certificate, false), await read(files.roots, false)];
    if (chain === undefined || roots === undefined) return undefined;
    try {
      const [leaf, intermediate] = parsePemBundle(chain.toString());
      if (leaf === undefined || intermediate === undefined) throw new CertificateError('not a chain');
      return { leaf, intermediate, roots: parsePemBundle(roots.toString()) };
    } catch (error) {
      throw new KiwiError('state-damaged', { detail: `${files.certificate}: not a certificate chain`, cause: error });
    }
  }

  async verify(name: string, certificate: DeviceCertificate): Promise<boolean> {
    const files = this.#files(name);
    const [key, chain, roots] = [
      await this.loadDeviceKey(name),
      await read(files.certificate, false),
      await read(files.roots, false),
    ];
    return (
      key !== undefined &&
      spkiDer(key).equals(certificate.leaf.spki) &&
      chain?.toString() === chainText(certificate) &&
      roots?.toString() === rootsText(certificate)
    );
  }

  async remove(name: string): Promise<void> {
    const files = this.#files(name);
    const kept = await read(files.roots + KEPT, false);
    const ours = await this.#rootsAreOurs(name);
    const folder = path.dirname(files.key);
    if (ours && kept !== undefined) await writeDurableFile(files.roots, kept, 0o644);
    else if (ours) await removeDurableFile(files.roots);
    await removeDurableFile(files.roots + KEPT);
    await removeDurableFile(files.certificate);
    await removeDurableFile(files.key);
    for (const empty of [folder, path.dirname(folder)]) await rmdir(empty).catch(() => undefined);
  }

  paths(name: string): { certificate: string; key: string; roots: string } {
    return filesOf(name);
  }

  /** smallstep's own tools use the same file name: a different root in it was put there by somebody else in the meantime. */
  async #rootsAreOurs(name: string): Promise<boolean> {
    try {
      const stored = await this.load(name);
      return stored?.roots.some((root) => root.subjectDer.equals(stored.intermediate.issuerDer)) === true;
    } catch {
      return false; // not certificates at all
    }
  }

  #files(name: string): { certificate: string; key: string; roots: string } {
    const { certificate, key, roots } = filesOf(name);
    return { certificate: at(this.#system, certificate), key: at(this.#system, key), roots: at(this.#system, roots) };
  }

  async #makeFolder(): Promise<void> {
    await mkdir(at(this.#system, PATHS.certificates), { recursive: true, mode: 0o700 });
  }
}

function filesOf(name: string): { certificate: string; key: string; roots: string } {
  hostName.parse(name); // a file name: no dots, no slashes
  const base = `${PATHS.certificates}/${name}`;
  return { certificate: `${base}.crt`, key: `${base}.key`, roots: `${PATHS.certificates}/root_ca.crt` };
}

function chainText({ leaf, intermediate }: DeviceCertificate): string {
  return leaf.pem + intermediate.pem;
}

function rootsText({ roots }: DeviceCertificate): string {
  return roots.map((root) => root.pem).join('');
}

async function read(file: string, isPrivate: boolean): Promise<Buffer | undefined> {
  return readCappedFile(file, { maxBytes: MAX_FILE, private: isPrivate }).catch(ignoreMissing);
}
