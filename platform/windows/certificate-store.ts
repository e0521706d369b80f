import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import type {
  CertificateStore,
  DeviceCertificate,
  FoundCertificate,
} from '../../src/laptop/system/certificate-store.ts';
import { fileDeviceKey, type DeviceKey } from '../../src/laptop/system/device-key.ts';
import { MARKER } from '../../src/laptop/system/found.ts';
import { CertificateError, parsePemBundle } from '../../src/pki/certificate.ts';
import { generateP256, spkiDer } from '../../src/pki/keys.ts';
import { deviceNames } from '../../src/pki/roles.ts';
import { gatewayUrl as gateway, hostName } from '../../src/protocol/common.ts';
import { makeFolders } from './folders.ts';
import {
  addIdentity,
  forgetEarlier,
  foundIdentities,
  hasIdentity,
  identityFault,
  removeIdentities,
} from './machine-identity.ts';
import { PATHS } from './paths.ts';
import { seal, unseal } from './sealed.ts';
import { at, type WindowsSystem } from './system.ts';

const MAX_FILE = 64 * 1024;
const PURPOSE = 'kiwistack-enroll device key';
const NOTE = `${MARKER}; \`kiwistack-enroll uninstall\` removes it.\n`;
const GATEWAY = '# Gateway: ';

interface Files {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/**
 * NAME.crt, NAME.key and NAME-roots.crt in a folder of ours, the key sealed with DPAPI; and the certificate in LocalMachine\My, where Windows' own
 * programs look for it, with a copy of the key that CNG does not give out again (machine-identity.ts). The file is what tunnel and renewal use:
 * CNG keeps keys for signatures apart from those for key agreement, and the device key is used for both.
 */
export class WindowsCertificateStore implements CertificateStore {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async createDeviceKey(name: string): Promise<DeviceKey> {
    const existing = await this.loadDeviceKey(name);
    if (existing !== undefined) return existing;
    await makeFolders(this.#system);
    const key = generateP256();
    const der = key.export({ type: 'pkcs8', format: 'der' });
    try {
      const sealed = (await seal(this.#system, PURPOSE, der)).toString('base64');
      await writeDurableFile(this.#files(name).key, `${NOTE}${sealed}\n`, 0o600);
    } finally {
      der.fill(0);
    }
    return fileDeviceKey(key, this.#files(name).key);
  }

  keepTpmKey(): Promise<never> {
    return Promise.reject(new KiwiError('tpm-missing', { detail: 'keys in the TPM are not supported on Windows yet' }));
  }

  async loadDeviceKey(name: string): Promise<DeviceKey | undefined> {
    const key = await this.#key(name);
    return key && fileDeviceKey(key, this.#files(name).key);
  }

  async install(name: string, certificate: DeviceCertificate): Promise<void> {
    const key = await this.#key(name);
    const isFor = (one: KeyObject): boolean => spkiDer(fileDeviceKey(one, '').publicKey).equals(certificate.leaf.spki);
    if (key === undefined || !isFor(key)) {
      throw new KiwiError('grant-invalid', { detail: 'the certificate is for another key' });
    }
    const files = this.#files(name);
    await makeFolders(this.#system);
    await addIdentity(this.#system, name, certificate, key);
    // The certificate's file says which one is the newest, so it is replaced when all the rest of that one is there: a run that was killed before
    // is made up for by the next renewal, which is still due.
    await writeDurableFile(files.roots, rootsText(certificate), 0o600);
    await writeDurableFile(files.certificate, chainText(certificate), 0o600);
    await forgetEarlier(this.#system, name, certificate);
  }

  async load(name: string): Promise<DeviceCertificate | undefined> {
    const files = this.#files(name);
    const [chain, roots] = [await read(files.certificate), await read(files.roots)];
    if (chain === undefined || roots === undefined) return undefined;
    try {
      const [leaf, intermediate] = parsePemBundle(chain);
      if (leaf === undefined || intermediate === undefined) throw new CertificateError('not a chain');
      return { leaf, intermediate, roots: parsePemBundle(roots), gatewayUrl: gatewayIn(chain) };
    } catch (error) {
      throw new KiwiError('state-damaged', { detail: `${files.certificate}: not a certificate chain`, cause: error });
    }
  }

  async verify(name: string, certificate: DeviceCertificate): Promise<boolean> {
    const files = this.#files(name);
    const key = await this.loadDeviceKey(name);
    if (key === undefined || !spkiDer(key.publicKey).equals(certificate.leaf.spki)) return false;
    if ((await read(files.certificate)) !== chainText(certificate)) return false;
    if ((await read(files.roots)) !== rootsText(certificate)) return false;
    return hasIdentity(this.#system, name, certificate);
  }

  async systemUse(name: string): Promise<string | KiwiError> {
    const stored = await this.load(name);
    if (stored === undefined) return new KiwiError('certificate-keyless', { detail: 'there is no certificate' });
    return (await identityFault(this.#system, name, stored)) ?? String.raw`LocalMachine\My, with its key in CNG`;
  }

  async giveToSystem(name: string): Promise<void> {
    const [stored, key] = [await this.load(name), await this.#key(name)];
    if (stored === undefined || key === undefined) throw new KiwiError('not-enrolled');
    const refusal = await addIdentity(this.#system, name, stored, key);
    await forgetEarlier(this.#system, name, stored);
    if (refusal !== undefined) throw refusal;
  }

  async remove(name: string | undefined): Promise<void> {
    const found = (await this.found()).flatMap((one) => one.name ?? []);
    try {
      await removeIdentities(this.#system);
    } finally {
      // The key in its file does not stay because CNG keeps its own: that is found by its name the next time.
      for (const each of new Set([...found, ...(name === undefined ? [] : [name])])) {
        const { certificate, key, roots } = this.#files(each);
        for (const file of [certificate, roots, key]) await removeDurableFile(file).catch(ignoreMissing);
      }
    }
  }

  async found(): Promise<readonly FoundCertificate[]> {
    const folder = at(this.#system, PATHS.certificates);
    const found: FoundCertificate[] = [];
    for (const file of ((await readdir(folder).catch(ignoreMissing)) ?? []).toSorted()) {
      const name = /^([a-z0-9-]{1,63}?)(?:-roots)?\.(?:crt|key)$/u.exec(file)?.[1];
      if (name === undefined || !hostName.safeParse(name).success) continue;
      const isLeaf = file === `${name}.crt`;
      const chain = isLeaf ? await read(path.join(folder, file)).catch(() => undefined) : undefined;
      const device = chain === undefined ? undefined : deviceIn(chain, name);
      found.push({ what: path.join(folder, file), ours: true, name, ...(device === undefined ? {} : { device }) });
    }
    return [...found, ...(await foundIdentities(this.#system))];
  }

  paths(name: string): Files {
    return this.#files(name);
  }

  async #key(name: string): Promise<KeyObject | undefined> {
    const file = this.#files(name).key;
    const text = await read(file);
    if (text === undefined) return undefined;
    const damaged = (cause: unknown): KiwiError =>
      new KiwiError('state-damaged', { detail: `${file}: not a private key of this machine`, cause });
    const der = await unseal(this.#system, PURPOSE, Buffer.from(text.split('\n')[1] ?? '', 'base64')).catch(
      (error: unknown) => {
        throw damaged(error);
      },
    );
    try {
      const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      fileDeviceKey(key, file);
      return key;
    } catch (error) {
      throw damaged(error);
    } finally {
      der.fill(0);
    }
  }

  #files(name: string): Files {
    hostName.parse(name); // a file name: no dots, no slashes
    const base = path.join(at(this.#system, PATHS.certificates), name);
    return { certificate: `${base}.crt`, key: `${base}.key`, roots: `${base}-roots.crt` };
  }
}

function deviceIn(chain: string, name: string): FoundCertificate['device'] {
  try {
    const [leaf] = parsePemBundle(chain);
    const device = leaf && deviceNames(leaf.sanUris);
    if (leaf === undefined || device === undefined) return undefined;
    return { deviceId: device.deviceId, customer: leaf.subject.o ?? name, gatewayUrl: gatewayIn(chain) };
  } catch {
    return undefined;
  }
}

function chainText({ leaf, intermediate, gatewayUrl }: DeviceCertificate): string {
  return NOTE + (gatewayUrl === undefined ? '' : `${GATEWAY}${gatewayUrl}\n`) + leaf.pem + intermediate.pem;
}

function rootsText({ roots }: DeviceCertificate): string {
  return NOTE + roots.map((root) => root.pem).join('');
}

function gatewayIn(chain: string): string | undefined {
  const line = chain.split('\n', 2)[1] ?? '';
  const url = gateway.safeParse(line.slice(GATEWAY.length));
  return line.startsWith(GATEWAY) && url.success ? url.data : undefined;
}

async function read(file: string): Promise<string | undefined> {
  const bytes = await readCappedFile(file, { maxBytes: MAX_FILE }).catch(ignoreMissing);
  return bytes?.toString();
}
