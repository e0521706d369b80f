import { access, readFile, readdir, readlink, rm } from 'node:fs/promises';
import path from 'node:path';

import { isMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { rootFileName } from '../../src/trust/root-file-name.ts';
import type { TrustStore } from '../../src/trust/trust-store.ts';
import { at, findProgram, runToolChecked, type LinuxSystem } from './system.ts';

interface Layout {
  /** Where an administrator's own roots go. */
  readonly anchors: string;
  readonly extension: '.pem' | '.crt';
  /** What generates the bundle from them. */
  readonly update: { readonly name: string; readonly args: readonly string[] };
}

/** Red Hat, Debian, SUSE, Arch: the first whose folder and program exist. */
const LAYOUTS: readonly Layout[] = [
  {
    anchors: '/etc/pki/ca-trust/source/anchors',
    extension: '.pem',
    update: { name: 'update-ca-trust', args: ['extract'] },
  },
  {
    anchors: '/usr/local/share/ca-certificates',
    extension: '.crt',
    update: { name: 'update-ca-certificates', args: [] },
  },
  { anchors: '/usr/share/pki/trust/anchors', extension: '.crt', update: { name: 'update-ca-certificates', args: [] } },
  {
    anchors: '/etc/ca-certificates/trust-source/anchors',
    extension: '.crt',
    update: { name: 'trust', args: ['extract-compat'] },
  },
];

/** The generated bundles, in the order in which they are looked for. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ca-certificates/extracted/tls-ca-bundle.pem',
] as const;

const DEBIAN_LINKS = '/etc/ssl/certs';

export class LinuxTrustStore implements TrustStore {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async install(roots: readonly Certificate[]): Promise<void> {
    if (await this.verify(roots)) return;
    const layout = await this.#layout();
    for (const root of roots) await writeDurableFile(this.#file(layout, root), root.pem, 0o644);
    await this.#update(layout);
    if (await this.verify(roots)) return;
    throw new KiwiError('trust-store-failed', {
      detail: `${layout.update.name} did not take the root into the bundle`,
    });
  }

  async verify(roots: readonly Certificate[]): Promise<boolean> {
    const bundle = withoutSpace((await this.systemCaBundle()) ?? '');
    return roots.every((root) => bundle.includes(withoutSpace(root.pem)));
  }

  async remove(roots: readonly Certificate[]): Promise<void> {
    const layout = await this.#layout();
    const files = roots.map((root) => this.#file(layout, root));
    const present = await Promise.all(files.map(exists));
    if (!present.includes(true)) return;
    for (const file of files) await removeDurableFile(file);
    await this.#removeDebianLinks(files);
    await this.#update(layout);
  }

  async systemCaBundle(): Promise<string | undefined> {
    for (const bundle of BUNDLES) {
      try {
        return await readFile(at(this.#system, bundle), 'utf8');
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return undefined;
  }

  /**
   * Debian's update-ca-certificates counts what it added, not what an administrator took away: without a count it leaves
   * the link to a vanished root and the link by hash (ca-certificates 20230311). `--fresh` would make all 400 links anew.
   */
  async #removeDebianLinks(files: readonly string[]): Promise<void> {
    const folder = at(this.#system, DEBIAN_LINKS);
    const names = new Set(files.map((file) => `${path.basename(file, path.extname(file))}.pem`));
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isSymbolicLink()) continue;
      const link = path.join(folder, entry.name);
      if (names.has(entry.name) || names.has(await readlink(link))) await rm(link, { force: true });
    }
  }

  async #layout(): Promise<Layout> {
    for (const layout of LAYOUTS) {
      const folder = await exists(at(this.#system, layout.anchors));
      if (folder && (await findProgram(this.#system, layout.update.name)) !== undefined) return layout;
    }
    throw new KiwiError('trust-store-failed', { detail: 'no known trust store: is ca-certificates installed?' });
  }

  async #update(layout: Layout): Promise<void> {
    await runToolChecked(this.#system, { ...layout.update, timeoutMs: 120_000 }, 'trust-store-failed');
  }

  #file(layout: Layout, root: Certificate): string {
    return at(this.#system, `${layout.anchors}/${rootFileName(root.der)}${layout.extension}`);
  }
}

function withoutSpace(pem: string): string {
  return pem.replace(/\s+/g, '');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
