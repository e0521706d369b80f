import { createPublicKey } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { sha256 } from '../../../src/core/bytes.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { DeviceKey } from '../../../src/laptop/system/device-key.ts';
import type { Tpm } from '../../../src/laptop/system/tpm.ts';
import { ecdsaFromDer } from '../../../src/pki/ecdsa-signature.ts';
import { spkiDer } from '../../../src/pki/keys.ts';
import type { TpmCredential } from '../../../src/pki/tpm-credential.ts';
import { tpmKeyPem, type TpmKeyParts } from '../../../src/pki/tpm-key-file.ts';
import { readTpmPublic } from '../../../src/pki/tpm-public.ts';
import { MINIMAL_ENVIRONMENT } from '../../../src/programs/minimal-environment.ts';
import { PATHS } from '../paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from '../system.ts';

/** The kernel's resource manager: it swaps objects in and out, and flushes what a program leaves behind. */
const DEVICE = '/dev/tpmrm0';

/** The certificate of the RSA 2048 endorsement key (TCG EK Credential Profile, section 2.2.1.4). */
const EK_CERTIFICATE_INDEX = '0x1c00002';

/**
 * The parent that OpenSSL's provider derives for a key whose file names the owner as its parent (draft-bottomley-tpm2-keys, section 3.1:
 * the storage key of the TCG's provisioning guidance). Another template would be another parent.
 */
const PARENT = ['-C', 'o', '-G', 'ecc256:null:aes128cfb'];
const PARENT_ATTRIBUTES = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda';
const ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign|decrypt';
const PROVIDER = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];

/** What a program's output means; `tpm-failed` for anything else. */
const CAUSES = [
  { said: /0x0*9a2|0x0*98e|authorization (?:failure|HMAC check failed)/i, code: 'tpm-owned' },
  { said: /0x0*921|lockout mode/i, code: 'tpm-locked' },
] as const;

/** TPM_RC_INTEGRITY of TPM2_Load: what it was given is not encrypted under its own parent. */
const NOT_OF_THIS_TPM = /0x0*1df/i;

/** Through child processes: tpm2-tools makes and proves keys, OpenSSL with the provider of tpm2-openssl uses them. */
export class LinuxTpm implements Tpm {
  readonly #system: LinuxSystem;
  readonly #tcti: string;

  /** @param tcti how the TPM is reached; only tests give another one than the kernel's resource manager */
  constructor(system: LinuxSystem, tcti = `device:${DEVICE}`) {
    this.#system = system;
    this.#tcti = tcti;
  }

  createKey(): Promise<TpmKeyParts> {
    return this.#inFolder(async (file) => {
      await this.#makeParent(file('parent'));
      const made = ['-u', file('public'), '-r', file('private')];
      await this.#tool('tpm2_create', ['-C', file('parent'), '-G', 'ecc256:null', '-a', ATTRIBUTES, ...made, '-Q']);
      const key = { publicArea: await readFile(file('public')), privateArea: await readFile(file('private')) };
      // Whether OpenSSL can use it is better known before it takes the place of another one.
      await writeFile(file('key'), tpmKeyPem(key), { mode: 0o600 });
      await this.#sign(file('key'), Buffer.alloc(32));
      return key;
    });
  }

  endorsementCertificate(): Promise<Buffer> {
    return this.#inFolder(async (file) => {
      const listed = await this.#tool('tpm2_getcap', ['handles-nv-index']);
      if (!listed.toLowerCase().includes(EK_CERTIFICATE_INDEX.slice(2))) throw new KiwiError('tpm-uncertified');
      await this.#tool('tpm2_nvread', [EK_CERTIFICATE_INDEX, '-o', file('certificate')]);
      return trimmed(await readFile(file('certificate')));
    });
  }

  activate(key: TpmKeyParts, { idObject, encryptedSecret }: TpmCredential): Promise<Buffer> {
    return this.#inFolder(async (file) => {
      const head = Buffer.from('badcc0de00000001', 'hex'); // the file format of tpm2-tools
      await writeFile(file('credential'), Buffer.concat([head, idObject, encryptedSecret]), { mode: 0o600 });
      await writeFile(file('public'), key.publicArea, { mode: 0o600 });
      await writeFile(file('private'), key.privateArea, { mode: 0o600 });
      await this.#makeParent(file('parent'));
      const parts = ['-u', file('public'), '-r', file('private')];
      await this.#tool('tpm2_load', ['-C', file('parent'), ...parts, '-c', file('key'), '-Q']);
      await this.#tool('tpm2_createek', ['-G', 'rsa', '-c', file('ek'), '-Q']);
      await this.#tool('tpm2_startauthsession', ['--policy-session', '-S', file('session'), '-Q']);
      try {
        await this.#tool('tpm2_policysecret', ['-S', file('session'), '-c', 'e', '-Q']);
        const given = ['-c', file('key'), '-C', file('ek'), '-i', file('credential'), '-o', file('secret')];
        await this.#tool('tpm2_activatecredential', [...given, '-P', `session:${file('session')}`, '-Q']);
        return await readFile(file('secret'));
      } finally {
        await this.#tool('tpm2_flushcontext', [file('session')]).catch(() => undefined);
      }
    });
  }

  /**
   * A key that is kept in a file. Does not ask the TPM.
   * @throws TpmError when it is not a key as we make them
   */
  open(key: TpmKeyParts, where: string): DeviceKey {
    const { publicKey } = readTpmPublic(key.publicArea);
    const keyFile = at(this.#system, where);
    return {
      ...{ alg: 'ES256', kind: 'tpm', publicKey, where, parts: key },
      sign: async (data) => ecdsaFromDer(await this.#sign(keyFile, sha256(Buffer.from(data))), 32),
      agree: (other) =>
        this.#inFolder(async (file) => {
          const spki = spkiDer(other.type === 'private' ? createPublicKey(other) : other).toString('base64');
          const pem = `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`;
          await writeFile(file('peer'), pem, { mode: 0o600 });
          const args = ['pkeyutl', '-derive', ...PROVIDER, '-inkey', keyFile, '-peerkey', file('peer')];
          const secret = await this.#openssl(args);
          if (secret.length !== 32) throw new KiwiError('tpm-failed', { detail: `${secret.length} bytes of a secret` });
          return secret;
        }),
    };
  }

  /** @returns DER */
  #sign(keyFile: string, hash: Buffer): Promise<Buffer> {
    const args = ['pkeyutl', '-sign', ...PROVIDER, '-inkey', keyFile, '-pkeyopt', 'digest:sha256'];
    return this.#openssl(args, hash);
  }

  async #makeParent(context: string): Promise<void> {
    await this.#tool('tpm2_createprimary', [...PARENT, '-a', PARENT_ATTRIBUTES, '-c', context, '-Q']);
  }

  async #tool(name: string, args: readonly string[]): Promise<string> {
    await this.#requireDevice();
    if ((await findProgram(this.#system, name)) === undefined) throw missing('tpm2-tools');
    const { code, stdout, stderr } = await runTool(this.#system, { name, args: ['-T', this.#tcti, ...args] });
    if (code === 0) return stdout.toString();
    throw failure(name, stderr.toString(), name === 'tpm2_load');
  }

  async #openssl(args: readonly string[], input?: Buffer): Promise<Buffer> {
    await this.#requireDevice();
    const env = { ...MINIMAL_ENVIRONMENT, TPM2OPENSSL_TCTI: this.#tcti };
    const request = { name: 'openssl', args, env, ...(input === undefined ? {} : { input }) };
    const { code, stdout, stderr } = await runTool(this.#system, request);
    if (code === 0) return stdout;
    if (/unable to load provider tpm2/iu.test(stderr.toString())) throw missing('tpm2-openssl');
    throw failure(`openssl ${args[1] ?? ''}`, stderr.toString(), true);
  }

  async #requireDevice(): Promise<void> {
    if (this.#tcti !== `device:${DEVICE}`) return;
    await access(at(this.#system, DEVICE)).catch((error: unknown) => {
      throw new KiwiError('tpm-missing', { detail: `there is no ${DEVICE}`, cause: error });
    });
  }

  /** A folder of its own for each call, on a tmpfs that only root can read. */
  async #inFolder<Result>(use: (file: (name: string) => string) => Promise<Result>): Promise<Result> {
    const runtime = at(this.#system, PATHS.runtime);
    await mkdir(runtime, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(path.join(runtime, 'tpm-'));
    try {
      return await use((name) => path.join(folder, name));
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rmdir(runtime).catch(() => undefined); // not empty: another call still uses it
    }
  }
}

/** Some makers fill the index with zeros behind the certificate; a certificate says its own length (ITU-T X.690, section 8.1.3). */
function trimmed(der: Buffer): Buffer {
  return der.length > 4 && der[0] === 0x30 && der[1] === 0x82 ? der.subarray(0, der.readUInt16BE(2) + 4) : der;
}

/** @param what a package of Debian */
const missing = (what: string): KiwiError => new KiwiError('tool-missing', { detail: what });

/** @param loads a key was to be loaded */
function failure(what: string, said: string, loads: boolean): KiwiError {
  const gone = loads && NOT_OF_THIS_TPM.test(said);
  const code = gone ? 'tpm-key-gone' : (CAUSES.find((cause) => cause.said.test(said))?.code ?? 'tpm-failed');
  return new KiwiError(code, { detail: `${what}: ${said.trim().slice(-300)}` });
}
