import { mkdir, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { sha256 } from '../../src/core/bytes.ts';
import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { MARKER, type Found } from '../../src/laptop/system/found.ts';
import type { TrustStore } from '../../src/laptop/system/trust-store.ts';
import { parsePemBundle, type Certificate } from '../../src/pki/certificate.ts';
import { deleteCertificate, keychainHash, withFile } from './keychain.ts';
import { PATHS } from './paths.ts';
import { readPlist } from './plist.ts';
import { at, readTool, runTool, type MacSystem } from './system.ts';

const MAX_FILE = 64 * 1024;
const MAX_SETTINGS = 4 << 20;
/** A person may have to confirm it. */
const TRUST_MS = 180_000;

/** What `security trust-settings-export` writes, as far as we need it: a root of ours has no entry, or one that says "trust as root" (1). */
const trustSettings = z.object({
  trustList: z.record(
    z.string().regex(/^[0-9A-F]{40}$/u),
    z.object({ trustSettings: z.array(z.object({ kSecTrustSettingsResult: z.int().optional() })).optional() }),
  ),
});

/**
 * The System keychain, with trust for all users. A keychain keeps no note of who added a root, so each that we add is kept in a folder of ours too: a
 * root that was trusted before is not in there, and stays.
 *
 * Since macOS 11 an administrator confirms this at the screen, also when root asks for it. Without anybody there it is refused, and the
 * customer's device management has to bring the root by a profile (`com.apple.security.root`).
 */
export class MacTrustStore implements TrustStore {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async install(roots: readonly Certificate[], signal?: AbortSignal): Promise<void> {
    for (const root of roots) {
      signal?.throwIfAborted();
      if (await this.#isTrusted(root)) continue;
      // Before it is added: what an interruption leaves is known as ours.
      await mkdir(this.#folder(), { recursive: true, mode: 0o700 });
      await writeDurableFile(this.#file(root), `${MARKER}\n${root.pem}`, 0o644);
      const keychain = at(this.#system, PATHS.keychain);
      const args = ['add-trusted-cert', '-d', '-r', 'trustRoot', '-k', keychain, this.#file(root)];
      const { code, stderr } = await runTool(this.#system, { name: 'security', args, timeoutMs: TRUST_MS, signal });
      if (code !== 0)
        throw refused(`security add-trusted-cert: exit code ${code}: ${stderr.toString().trim().slice(-300)}`);
    }
    if (!(await this.verify(roots))) throw refused('macOS did not keep the root');
  }

  async verify(roots: readonly Certificate[]): Promise<boolean> {
    for (const root of roots) if (!(await this.#isTrusted(root))) return false;
    return true;
  }

  async remove(roots: readonly Certificate[]): Promise<void> {
    const ours = await this.#ours();
    for (const root of ours) {
      if (await this.#hasSettings(root)) {
        const args = ['remove-trusted-cert', '-d', this.#file(root)];
        const { code, stderr } = await runTool(this.#system, { name: 'security', args, timeoutMs: TRUST_MS });
        if (code !== 0)
          throw refused(`security remove-trusted-cert: exit code ${code}: ${stderr.toString().trim().slice(-300)}`);
      }
      await deleteCertificate(this.#system, root, 'certificate');
      await removeDurableFile(this.#file(root));
    }
    for (const root of roots) await removeDurableFile(this.#file(root)).catch(ignoreMissing);
    await rmdir(this.#folder()).catch(() => undefined);
  }

  async found(): Promise<readonly Found[]> {
    const ours = await this.#ours();
    return ours.map((root) => ({ what: `${PATHS.roots}/${path.basename(this.#file(root))}`, ours: true }));
  }

  /** There is no such text: programs ask the keychain. */
  systemCaBundle(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** As a program that verifies a chain would find; and by an entry of the administrator's settings, not by one of this user alone. */
  async #isTrusted(root: Certificate): Promise<boolean> {
    if (!(await this.#hasSettings(root))) return false;
    return withFile(this.#system, root.pem, async (file) => {
      const args = ['verify-cert', '-c', file, '-p', 'basic', '-L', '-q'];
      return (await runTool(this.#system, { name: 'security', args })).code === 0;
    });
  }

  async #hasSettings(root: Certificate): Promise<boolean> {
    return (await this.#trustedHashes()).has(keychainHash(root));
  }

  /** SHA-1, by which macOS keeps the settings of administrators. */
  async #trustedHashes(): Promise<ReadonlySet<string>> {
    return withFile(this.#system, '', async (file) => {
      const args = ['trust-settings-export', '-d', file];
      // It fails when there are none.
      if ((await readTool(this.#system, { name: 'security', args })) === undefined) return new Set();
      const text = (await readCappedFile(file, { maxBytes: MAX_SETTINGS })).toString();
      return readTrusted(text);
    });
  }

  async #ours(): Promise<Certificate[]> {
    const files = ((await readdir(this.#folder()).catch(ignoreMissing)) ?? []).toSorted();
    const roots: Certificate[] = [];
    for (const file of files.filter((name) => /^[0-9a-f]{16}\.pem$/u.test(name))) {
      const bytes = await readCappedFile(path.join(this.#folder(), file), { maxBytes: MAX_FILE }).catch(ignoreMissing);
      roots.push(...parsePemBundle(bytes?.toString() ?? ''));
    }
    return roots;
  }

  #folder(): string {
    return at(this.#system, PATHS.roots);
  }

  #file(root: Certificate): string {
    return path.join(this.#folder(), `${sha256(root.der).toString('hex').slice(0, 16)}.pem`);
  }
}

/** The hashes of certificates that these settings trust as roots; an entry without a result, or without any setting, does. */
export function readTrusted(text: string): ReadonlySet<string> {
  const { trustList } = trustSettings.parse(readPlist(text));
  return new Set(
    Object.entries(trustList).flatMap(([hash, { trustSettings: settings = [] }]) =>
      settings.every(({ kSecTrustSettingsResult = 1 }) => kSecTrustSettingsResult === 1) ? [hash] : [],
    ),
  );
}

function refused(detail: string): KiwiError {
  const hint = 'macOS asks an administrator at the screen for this: run it in a window on this Mac, and confirm.';
  return new KiwiError('trust-store-failed', { detail, hint });
}
