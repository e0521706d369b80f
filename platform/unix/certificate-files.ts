import { createPrivateKey } from 'node:crypto';
import { link, mkdir, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';

import {
  ignoreMissing,
  removeDurableFile,
  removeLeftovers,
  renameDurableFile,
  writeDurableFile,
} from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import type {
  CertificateStore,
  DeviceCertificate,
  FoundCertificate,
} from '../../src/laptop/system/certificate-store.ts';
import { fileDeviceKey, type DeviceKey } from '../../src/laptop/system/device-key.ts';
import { MARKER } from '../../src/laptop/system/found.ts';
import { CertificateError, parsePemBundle, type Certificate } from '../../src/pki/certificate.ts';
import { generateP256, spkiDer } from '../../src/pki/keys.ts';
import { deviceNames } from '../../src/pki/roles.ts';
import { readTpmKeyPem, tpmKeyPem, type TpmKeyParts } from '../../src/pki/tpm-key-file.ts';
import { gatewayUrl as gateway, hostName } from '../../src/protocol/common.ts';
import { at, type UnixSystem } from './system.ts';

const MAX_FILE = 64 * 1024;
/** A root_ca.crt that is not ours is kept with this suffix until ours is removed. */
const KEPT = '.before-kiwistack';
const ROOTS = 'root_ca.crt';

/** Text before a PEM block is permitted and skipped by readers (RFC 7468, section 2). */
const NOTE = `${MARKER}; \`kiwistack-enroll uninstall\` removes it.\n`;

/** @param where the file that holds it */
export type OpenTpmKey = (parts: TpmKeyParts, where: string) => DeviceKey;

/**
 * smallstep's layout: NAME.crt (leaf, intermediate), NAME.key, root_ca.crt; folders 0700, keys 0600. smallstep's own tools use
 * the same folder, so each of our files says that it is ours. A key of the TPM has the same place: its file holds what only that TPM can use.
 */
export class CertificateFiles implements CertificateStore {
  readonly #system: UnixSystem;
  readonly #folder: string;
  readonly #openTpmKey: OpenTpmKey;

  constructor(system: UnixSystem, folder: string, openTpmKey: OpenTpmKey) {
    this.#system = system;
    this.#folder = folder;
    this.#openTpmKey = openTpmKey;
  }

  async createDeviceKey(name: string): Promise<DeviceKey> {
    const existing = await this.loadDeviceKey(name);
    if (existing !== undefined) return existing;
    const key = generateP256();
    await this.#makeFolder();
    const pem = Buffer.from(NOTE + key.export({ type: 'pkcs8', format: 'pem' }).toString());
    try {
      await writeDurableFile(this.#files(name).key, pem, 0o600);
    } finally {
      pem.fill(0);
    }
    return fileDeviceKey(key, this.paths(name).key);
  }

  async keepTpmKey(name: string, key: TpmKeyParts): Promise<DeviceKey> {
    await this.#makeFolder();
    await writeDurableFile(this.#files(name).key, NOTE + tpmKeyPem(key), 0o600);
    return this.#openTpmKey(key, this.paths(name).key);
  }

  async loadDeviceKey(name: string): Promise<DeviceKey | undefined> {
    const file = this.#files(name).key;
    const pem = await read(file, true);
    if (pem === undefined) return undefined;
    try {
      const inTpm = readTpmKeyPem(pem);
      if (inTpm !== undefined) return this.#openTpmKey(inTpm, this.paths(name).key);
      return fileDeviceKey(createPrivateKey(pem), this.paths(name).key);
    } catch (error) {
      // OpenSSL's message probably quotes nothing of the key, but we do not rely on that: the detail names only the file.
      throw new KiwiError('state-damaged', { detail: `${file}: not a private key`, cause: error });
    } finally {
      pem.fill(0);
    }
  }

  async install(name: string, certificate: DeviceCertificate): Promise<void> {
    const key = await this.loadDeviceKey(name);
    if (key === undefined || !spkiDer(key.publicKey).equals(certificate.leaf.spki)) {
      throw new KiwiError('grant-invalid', { detail: 'the certificate is for another key' });
    }
    const files = this.#files(name);
    await this.#makeFolder();
    await this.#keepForeignRoots(name, files.roots);
    await writeDurableFile(files.certificate, chainText(certificate), 0o644);
    await writeDurableFile(files.roots, rootsText(certificate), 0o644);
  }

  async load(name: string): Promise<DeviceCertificate | undefined> {
    const files = this.#files(name);
    const [chain, roots] = [await read(files.certificate, false), await read(files.roots, false)];
    if (chain === undefined || roots === undefined) return undefined;
    try {
      const [leaf, intermediate] = parsePemBundle(chain.toString());
      if (leaf === undefined || intermediate === undefined) throw new CertificateError('not a chain');
      const gatewayUrl = gatewayIn(chain.toString());
      return { leaf, intermediate, roots: parsePemBundle(roots.toString()), gatewayUrl };
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
      spkiDer(key.publicKey).equals(certificate.leaf.spki) &&
      chain?.toString() === chainText(certificate) &&
      roots?.toString() === rootsText(certificate)
    );
  }

  systemUse(name: string): Promise<string | KiwiError> {
    return Promise.resolve(`programs read ${this.paths(name).certificate}`);
  }

  giveToSystem(): Promise<void> {
    return Promise.resolve();
  }

  async remove(name: string | undefined): Promise<void> {
    const folder = at(this.#system, this.#folder);
    const roots = path.join(folder, ROOTS);
    const ours = (await this.#rootsAreOurs()) || (await read(roots, false)) === undefined;
    const kept = await read(roots + KEPT, false);
    const found = (await this.found()).flatMap((file) => file.name ?? []);
    if (ours && kept !== undefined) await renameDurableFile(roots + KEPT, roots);
    else if (ours) await removeDurableFile(roots);
    await removeDurableFile(roots + KEPT);
    await removeLeftovers(roots);
    for (const each of new Set([...found, ...(name === undefined ? [] : [name])])) {
      const files = this.#files(each);
      await removeDurableFile(files.certificate);
      await removeDurableFile(files.key);
    }
    for (const empty of [folder, path.dirname(folder)]) await rmdir(empty).catch(() => undefined);
  }

  async found(): Promise<readonly FoundCertificate[]> {
    const folder = at(this.#system, this.#folder);
    const found: FoundCertificate[] = [];
    const files = (await readdir(folder).catch(ignoreMissing)) ?? [];
    for (const file of files.toSorted()) {
      const { name, ext } = path.parse(file);
      const what = `${this.#folder}/${file}`;
      if (file === ROOTS ? await this.#rootsAreOurs() : file === ROOTS + KEPT) found.push({ what, ours: true });
      if (file === ROOTS || !['.crt', '.key'].includes(ext) || !hostName.safeParse(name).success) continue;
      const leaf = await this.#leaf(name);
      const device = leaf && deviceNames(leaf.certificate.sanUris);
      // Version 0.1.0 wrote no marker: its certificate names the device, and its key is beside it.
      if (device === undefined && !(await this.#isMarked(file))) continue;
      found.push({
        ...{ what, ours: true, name },
        ...(ext === '.crt' && leaf !== undefined && device !== undefined
          ? {
              device: {
                deviceId: device.deviceId,
                customer: leaf.certificate.subject.o ?? name,
                gatewayUrl: gatewayIn(leaf.text),
              },
            }
          : {}),
      });
    }
    return found;
  }

  paths(name: string): { certificate: string; key: string; roots: string } {
    hostName.parse(name); // a file name: no dots, no slashes
    const base = `${this.#folder}/${name}`;
    return { certificate: `${base}.crt`, key: `${base}.key`, roots: `${this.#folder}/${ROOTS}` };
  }

  /** The other file stays as it is under another name, so that it comes back with its mode, owner and times. */
  async #keepForeignRoots(name: string, roots: string): Promise<void> {
    if ((await read(roots, false)) === undefined || (await this.#rootsAreOurs(name))) return;
    await link(roots, roots + KEPT).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    });
  }

  /**
   * True when the roots file says that it is ours; or, as version 0.1.0 wrote it, holds nothing but roots that issued our
   * intermediate. smallstep's own tools use the same file name and may have put another file there in the meantime.
   */
  async #rootsAreOurs(name?: string): Promise<boolean> {
    const text = await this.#text(ROOTS);
    if (text.startsWith(MARKER)) return true;
    try {
      const roots = parsePemBundle(text);
      if (text === '' || text !== roots.map((root) => root.pem).join('')) return false;
      const folder = (await readdir(at(this.#system, this.#folder)).catch(ignoreMissing)) ?? [];
      const names = folder.flatMap((file) => /^([a-z0-9-]{1,63})\.crt$/.exec(file)?.[1] ?? []);
      for (const each of name === undefined ? names : [name]) {
        const leaf = await this.#leaf(each);
        if (leaf === undefined || deviceNames(leaf.certificate.sanUris) === undefined) continue;
        if (roots.some((root) => leaf.intermediate?.isSignedBy(root) === true)) return true;
      }
      return false;
    } catch {
      return false; // not certificates at all
    }
  }

  /** The device certificate of that name, as far as it can be read. */
  async #leaf(
    name: string,
  ): Promise<{ text: string; certificate: Certificate; intermediate: Certificate | undefined } | undefined> {
    const text = await this.#text(`${name}.crt`);
    try {
      const [certificate, intermediate] = parsePemBundle(text);
      return certificate && { text, certificate, intermediate };
    } catch {
      return undefined;
    }
  }

  /** Reads no more of a key into memory than it clears again. */
  async #isMarked(file: string): Promise<boolean> {
    const full = at(this.#system, `${this.#folder}/${file}`);
    const bytes = await read(full, false).catch(() => undefined);
    const marked = bytes?.subarray(0, MARKER.length).toString() === MARKER;
    bytes?.fill(0);
    return marked;
  }

  /** Empty for what is not there and for what is not a file that we could have written. */
  async #text(file: string): Promise<string> {
    const full = at(this.#system, `${this.#folder}/${file}`);
    return read(full, false).then(
      (bytes) => bytes?.toString() ?? '',
      () => '',
    );
  }

  #files(name: string): { certificate: string; key: string; roots: string } {
    const { certificate, key, roots } = this.paths(name);
    return { certificate: at(this.#system, certificate), key: at(this.#system, key), roots: at(this.#system, roots) };
  }

  async #makeFolder(): Promise<void> {
    await mkdir(at(this.#system, this.#folder), { recursive: true, mode: 0o700 });
  }
}

function chainText({ leaf, intermediate, gatewayUrl }: DeviceCertificate): string {
  return NOTE + (gatewayUrl === undefined ? '' : `${GATEWAY}${gatewayUrl}\n`) + leaf.pem + intermediate.pem;
}

function rootsText({ roots }: DeviceCertificate): string {
  return NOTE + roots.map((root) => root.pem).join('');
}

/** With it, a laptop that lost its record can still deregister. */
const GATEWAY = '# Gateway: ';

function gatewayIn(chain: string): string | undefined {
  const line = chain.split('\n', 2)[1] ?? '';
  const url = gateway.safeParse(line.slice(GATEWAY.length));
  return line.startsWith(GATEWAY) && url.success ? url.data : undefined;
}

async function read(file: string, isPrivate: boolean): Promise<Buffer | undefined> {
  return readCappedFile(file, { maxBytes: MAX_FILE, private: isPrivate }).catch(ignoreMissing);
}
