import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, isMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import type { TrustStore } from '../../src/laptop/system/trust-store.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { addToDebianBundle } from './debian-bundle.ts';
import { rootFileName, rootNameIn } from './root-file-name.ts';
import { withRuntimeFile } from './runtime-file.ts';
import { at, findProgram, runToolChecked, type LinuxSystem } from './system.ts';

interface Layout {
  /** Where an administrator's own roots go. */
  readonly anchors: string;
  readonly extension: '.pem' | '.crt';
  /** What generates the bundle from them. */
  readonly update: { readonly name: string; readonly args: readonly string[] };
}

const DEBIAN_ANCHORS = '/usr/local/share/ca-certificates';
/** Which of the packaged roots are selected; a line with `!` deselects. */
const DEBIAN_LIST = '/etc/ca-certificates.conf';

/** Red Hat, Debian, SUSE, Arch: the first whose folder and program exist. */
const LAYOUTS: readonly Layout[] = [
  {
    anchors: '/etc/pki/ca-trust/source/anchors',
    extension: '.pem',
    update: { name: 'update-ca-trust', args: ['extract'] },
  },
  {
    anchors: DEBIAN_ANCHORS,
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

export class LinuxTrustStore implements TrustStore {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async install(roots: readonly Certificate[]): Promise<void> {
    if (await this.verify(roots)) return;
    const layout = await this.#layout();
    for (const root of roots) await writeDurableFile(this.#file(layout, root), root.pem, 0o644);
    if (!(await this.#addQuickly(layout, roots))) await this.#update(layout);
    if (await this.verify(roots)) return;
    throw new KiwiError('trust-store-failed', {
      detail: `${layout.update.name} did not add the root to the bundle`,
    });
  }

  async #addQuickly(layout: Layout, roots: readonly Certificate[]): Promise<boolean> {
    if (layout.anchors !== DEBIAN_ANCHORS) return false;
    for (const root of roots) {
      if (await this.verify([root])) continue;
      const anchor = `${layout.anchors}/${rootFileName(root.der)}${layout.extension}`;
      if (!(await addToDebianBundle(this.#system, anchor, root.pem))) return false;
    }
    return true;
  }

  async verify(roots: readonly Certificate[]): Promise<boolean> {
    const bundle = withoutSpace((await this.systemCaBundle()) ?? '');
    return roots.every((root) => bundle.includes(withoutSpace(root.pem)));
  }

  async remove(roots: readonly Certificate[]): Promise<void> {
    const layout = await this.#layout();
    const found = await this.#marked(layout);
    const names = new Set([...roots.map((root) => rootFileName(root.der)), ...found.map(({ name }) => name)]);
    const files = [...names].map((name) => at(this.#system, `${layout.anchors}/${name}${layout.extension}`));
    const traces = found.length > 0 || (await Promise.all(roots.map((root) => this.verify([root])))).includes(true);
    // Even if there is none: a write that was killed may have left a partial one.
    for (const file of files) await removeDurableFile(file);
    if (!traces) return;
    if (layout.anchors === DEBIAN_ANCHORS) await this.#updateDebianWithout(layout, files);
    else await this.#update(layout);
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

  async found(): Promise<readonly Found[]> {
    const layout = await this.#layout().catch(() => undefined);
    return layout === undefined ? [] : (await this.#marked(layout)).map(({ what }) => ({ what, ours: true }));
  }

  /** Files with a name of ours, and links to them: an interrupted undo may have left either. */
  async #marked(layout: Layout): Promise<{ name: string; what: string }[]> {
    const marked: { name: string; what: string }[] = [];
    for (const folder of [layout.anchors, '/etc/ssl/certs']) {
      for (const file of (await readdir(at(this.#system, folder)).catch(ignoreMissing)) ?? []) {
        const name = rootNameIn(file);
        if (name !== undefined) marked.push({ name, what: `${folder}/${file}` });
      }
    }
    return marked;
  }

  /**
   * Debian's update-ca-certificates (20230311) does not notice that an administrator's root was deleted: it leaves the links
   * in /etc/ssl/certs and does not tell its hooks, so that Java keeps trusting it. A root that is deselected by a `!` line in
   * its list is removed everywhere; we pass a copy of the list, so that the administrator's own stays unchanged.
   */
  async #updateDebianWithout(layout: Layout, files: readonly string[]): Promise<void> {
    const list = await readFile(at(this.#system, DEBIAN_LIST), 'utf8').catch(() => '');
    const deselected = files.map((file) => `!${path.basename(file)}\n`).join('');
    await withRuntimeFile(this.#system, 'ca-certificates.conf', `${list}\n${deselected}`, (copy) =>
      this.#update({ ...layout, update: { name: layout.update.name, args: ['--certsconf', copy] } }),
    );
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
