import { createPublicKey } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { sha256 } from '../../../src/core/bytes.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { DeviceKey } from '../../../src/laptop/system/device-key.ts';
import { ecdsaFromDer } from '../../../src/pki/ecdsa-signature.ts';
import { spkiDer } from '../../../src/pki/keys.ts';
import type { TpmCredential } from '../../../src/pki/tpm-credential.ts';
import { readTpmPublic } from '../../../src/pki/tpm-public.ts';
import { MINIMAL_ENVIRONMENT } from '../../../src/programs/minimal-environment.ts';
import { PATHS } from '../paths.ts';
import { at, runTool, type LinuxSystem } from '../system.ts';

/** Persistent objects of the owner (TCG, "Registry of Reserved TPM 2.0 Handles and Localities": 0x81000000 to 0x817fffff). */
const FIRST_HANDLE = 0x8100_4b57;
const HANDLES = 16;

/** The certificate of the RSA 2048 endorsement key (TCG EK Credential Profile, section 2.2.1.4). */
const EK_CERTIFICATE_INDEX = '0x1c00002';

const ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign|decrypt';
const PROVIDER = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];

/** Which of the two codes a program's output means; `tpm-failed` for anything else. */
const CAUSES = [
  { said: /0x9a2|0x98e|authorization (?:failure|HMAC check failed)/i, code: 'tpm-owned' },
  { said: /0x921|lockout mode/i, code: 'tpm-locked' },
] as const;

/** A device key's place: what has to be recorded to find it again, and to know that it is the same one. */
export interface TpmPlace {
  readonly handle: number;
  /** TPM2B_PUBLIC. */
  readonly publicArea: Buffer;
}

/**
 * The laptop's TPM. Nothing in it that is not ours is changed: a new key gets a free handle, and only a handle that holds
 * exactly the recorded key is used or given up. Passwords of the hierarchies are never asked for; where the owner has set one,
 * no key can be made (`tpm-owned`).
 */
export class LinuxTpm {
  readonly #system: LinuxSystem;
  readonly #tcti: string;

  /** @param tcti how the TPM is reached; only tests give another one than the kernel's resource manager */
  constructor(system: LinuxSystem, tcti = 'device:/dev/tpmrm0') {
    this.#system = system;
    this.#tcti = tcti;
  }

  /** A handle that nothing uses. To be recorded before `create`, so that a crash in between is known of. */
  async freeHandle(): Promise<number> {
    const text = await this.#tool('tpm2_getcap', ['handles-persistent']);
    const used = new Set((text.match(/0x[0-9a-f]{8}/giu) ?? []).map(Number));
    for (let handle = FIRST_HANDLE; handle < FIRST_HANDLE + HANDLES; handle++) {
      if (!used.has(handle)) return handle;
    }
    throw new KiwiError('tpm-failed', { detail: 'no free handle' });
  }

  /**
   * Makes a key that cannot leave this TPM and keeps it under the handle.
   * @returns its public area @throws KiwiError `tpm-owned`, `tpm-failed`
   */
  create(handle: number): Promise<TpmPlace> {
    return this.#inFolder(async (folder) => {
      const file = (name: string): string => path.join(folder, name);
      await this.#tool('tpm2_createprimary', ['-C', 'o', '-G', 'ecc256', '-c', file('srk'), '-Q']);
      const made = ['-u', file('public'), '-r', file('private')];
      await this.#tool('tpm2_create', ['-C', file('srk'), '-G', 'ecc256:null', '-a', ATTRIBUTES, ...made, '-Q']);
      await this.#tool('tpm2_load', ['-C', file('srk'), ...made, '-c', file('key'), '-Q']);
      await this.#tool('tpm2_evictcontrol', ['-C', 'o', '-c', file('key'), text(handle), '-Q']);
      return { handle, publicArea: await readFile(file('public')) };
    });
  }

  /** Undefined when there is nothing under the handle. */
  find(handle: number): Promise<TpmPlace | undefined> {
    return this.#inFolder(async (folder) => {
      const file = path.join(folder, 'public');
      const listed = await this.#tool('tpm2_getcap', ['handles-persistent']);
      if (!(listed.match(/0x[0-9a-f]{8}/giu) ?? []).map(Number).includes(handle)) return undefined;
      await this.#tool('tpm2_readpublic', ['-c', text(handle), '-o', file, '-Q']);
      return { handle, publicArea: await readFile(file) };
    });
  }

  /** Gives the key up, unless something else is under its handle by now. Safe to repeat. */
  async remove(place: TpmPlace): Promise<void> {
    if (!(await this.#holds(place))) return;
    await this.#tool('tpm2_evictcontrol', ['-C', 'o', '-c', text(place.handle), '-Q']);
  }

  /** @throws KiwiError `tpm-key-gone` when the TPM was cleared, or is another one */
  async open(place: TpmPlace): Promise<DeviceKey> {
    if (!(await this.#holds(place))) throw new KiwiError('tpm-key-gone', { detail: text(place.handle) });
    const { publicKey } = readTpmPublic(place.publicArea);
    const where = `handle:${text(place.handle)}`;
    return {
      ...{ alg: 'ES256', kind: 'tpm', publicKey, where },
      sign: async (data) => {
        const args = ['pkeyutl', '-sign', ...PROVIDER, '-inkey', where, '-pkeyopt', 'digest:sha256'];
        return ecdsaFromDer(await this.#openssl(args, sha256(Buffer.from(data))), 32);
      },
      agree: (other) =>
        this.#inFolder(async (folder) => {
          const peer = path.join(folder, 'peer.pem');
          const spki = spkiDer(other.type === 'private' ? createPublicKey(other) : other).toString('base64');
          await writeFile(peer, `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`, { mode: 0o600 });
          const secret = await this.#openssl(['pkeyutl', '-derive', ...PROVIDER, '-inkey', where, '-peerkey', peer]);
          if (secret.length !== 32) throw new KiwiError('tpm-failed', { detail: `${secret.length} bytes of a secret` });
          return secret;
        }),
    };
  }

  /** DER; undefined when the maker has put none into the TPM. */
  endorsementCertificate(): Promise<Buffer | undefined> {
    return this.#inFolder(async (folder) => {
      const listed = await this.#tool('tpm2_getcap', ['handles-nv-index']);
      if (!listed.toLowerCase().includes(EK_CERTIFICATE_INDEX.slice(2))) return undefined;
      const file = path.join(folder, 'ek.der');
      await this.#tool('tpm2_nvread', [EK_CERTIFICATE_INDEX, '-o', file]);
      return trimmed(await readFile(file));
    });
  }

  /** TPM2_ActivateCredential. @returns the secret @throws KiwiError `tpm-failed` when it is for another key or TPM */
  activate(place: TpmPlace, { idObject, encryptedSecret }: TpmCredential): Promise<Buffer> {
    return this.#inFolder(async (folder) => {
      const file = (name: string): string => path.join(folder, name);
      const head = Buffer.from('badcc0de00000001', 'hex'); // the file format of tpm2-tools
      await writeFile(file('credential'), Buffer.concat([head, idObject, encryptedSecret]), { mode: 0o600 });
      await this.#tool('tpm2_createek', ['-G', 'rsa', '-c', file('ek'), '-Q']);
      await this.#tool('tpm2_startauthsession', ['--policy-session', '-S', file('session'), '-Q']);
      try {
        await this.#tool('tpm2_policysecret', ['-S', file('session'), '-c', 'e', '-Q']);
        const [credential, out] = [
          ['-i', file('credential')],
          ['-o', file('secret')],
        ];
        const auth = ['-P', `session:${file('session')}`, '-Q'];
        const keys = ['-c', text(place.handle), '-C', file('ek')];
        await this.#tool('tpm2_activatecredential', [...keys, ...credential, ...out, ...auth]);
        return await readFile(file('secret'));
      } finally {
        await this.#tool('tpm2_flushcontext', [file('session')]).catch(() => undefined);
      }
    });
  }

  async #holds(place: TpmPlace): Promise<boolean> {
    const found = await this.find(place.handle);
    return found !== undefined && found.publicArea.equals(place.publicArea);
  }

  async #tool(name: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runTool(this.#system, { name, args: ['-T', this.#tcti, ...args] });
    if (code === 0) return stdout.toString();
    throw failure(name, stderr.toString());
  }

  async #openssl(args: readonly string[], input?: Buffer): Promise<Buffer> {
    const env = { ...MINIMAL_ENVIRONMENT, TPM2OPENSSL_TCTI: this.#tcti };
    const request = { name: 'openssl', args, env, ...(input === undefined ? {} : { input }) };
    const { code, stdout, stderr } = await runTool(this.#system, request);
    if (code !== 0) throw failure(`openssl ${args[1] ?? ''}`, stderr.toString());
    return stdout;
  }

  /** A folder of its own for each call, on a tmpfs that only root can read. */
  async #inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
    const runtime = at(this.#system, PATHS.runtime);
    await mkdir(runtime, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(path.join(runtime, 'tpm-'));
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rmdir(runtime).catch(() => undefined); // not empty: another call still uses it
    }
  }
}

const text = (handle: number): string => `0x${handle.toString(16)}`;

/** Some makers fill the index with zeros behind the certificate; a certificate says its own length (ITU-T X.690, section 8.1.3). */
function trimmed(der: Buffer): Buffer {
  return der.length > 4 && der[0] === 0x30 && der[1] === 0x82 ? der.subarray(0, der.readUInt16BE(2) + 4) : der;
}

function failure(what: string, said: string): KiwiError {
  const code = CAUSES.find((cause) => cause.said.test(said))?.code ?? 'tpm-failed';
  return new KiwiError(code, { detail: `${what}: ${said.trim().slice(-300)}` });
}
