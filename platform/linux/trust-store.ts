import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { ignoreMissing, isMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import type { TrustStore } from '../../src/laptop/system/trust-store.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { addToDebianBundle } from './debian-bundle.ts';
import { DebianHooks } from './debian-hooks.ts';
import { rootFileName, rootNameIn } from './root-file-name.ts';
import { withRuntimeFile } from '../unix/runtime-file.ts';
import { at, runToolChecked, type LinuxSystem } from './system.ts';
import { BUNDLES, DEBIAN_ANCHORS, findTrustLayout, type TrustLayout } from './trust-layout.ts';

/** Which of the packaged roots are selected; a line with `!` deselects. */
const DEBIAN_LIST = '/etc/ca-certificates.conf';
const LINKS = '/etc/ssl/certs';
/** There is no such folder, so the script runs none. */
const NO_HOOKS = '/run/kiwistack/no-hooks';
/** It starts a program for each of a hundred and forty roots: seconds, on a slow machine that has just booted two minutes and more. */
const UPDATE_MS = 600_000;

export class LinuxTrustStore implements TrustStore {
  readonly #system: LinuxSystem;
  readonly #hooks: DebianHooks;

  constructor(system: LinuxSystem) {
    this.#system = system;
    this.#hooks = new DebianHooks(system);
  }

  async install(roots: readonly Certificate[], signal?: AbortSignal, again?: 'again'): Promise<void> {
    return refused(() => this.#install(roots, signal, again));
  }

  async #install(
    roots: readonly Certificate[],
    signal: AbortSignal | undefined,
    again: 'again' | undefined,
  ): Promise<void> {
    if (again === undefined && (await this.verify(roots))) return;
    const layout = await findTrustLayout(this.#system);
    for (const root of roots) await writeDurableFile(this.#file(layout, root), root.pem, 0o644);
    if (layout.anchors === DEBIAN_ANCHORS && (await this.#hooks.list()).length > 0) {
      // Aborted only here: the script itself would leave temporary files.
      await this.#hooks.tellAdded(await this.#updateDebian([]), signal);
    } else if (again !== undefined || !(await this.#addQuickly(layout, roots))) {
      // Not the shortcut for a repair: it takes a root that is in the bundle for one whose links are there too.
      await this.#update(layout);
    }
    if (await this.verify(roots)) return;
    throw new KiwiError('trust-store-failed', {
      detail: `${layout.update.name} did not add the root to the bundle`,
    });
  }

  async #addQuickly(layout: TrustLayout, roots: readonly Certificate[]): Promise<boolean> {
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
    return refused(() => this.#remove(roots));
  }

  async #remove(roots: readonly Certificate[]): Promise<void> {
    const layout = await findTrustLayout(this.#system);
    const found = await this.#marked(layout);
    const names = new Set([...roots.map((root) => rootFileName(root.der)), ...found.map(({ name }) => name)]);
    const files = [...names].map((name) => at(this.#system, `${layout.anchors}/${name}${layout.extension}`));
    const traces = found.length > 0 || (await Promise.all(roots.map((root) => this.verify([root])))).includes(true);
    // Even if there is none: a write that was killed may have left a partial one.
    for (const file of files) await removeDurableFile(file);
    if (layout.anchors === DEBIAN_ANCHORS) {
      const changes = traces ? await this.#updateDebianWithout(files) : [];
      // Also without a trace: an earlier undo may have been interrupted, or a hook may have failed, when they were to be told.
      const gone = [...names].map((name) => `-${LINKS}/${name}.pem`);
      await this.#hooks.tellRemoved([...new Set([...changes, ...gone])]);
    } else if (traces) await this.#update(layout);
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
    const layout = await findTrustLayout(this.#system).catch(() => undefined);
    return layout === undefined ? [] : (await this.#marked(layout)).map(({ what }) => ({ what, ours: true }));
  }

  /** Files with a name of ours, and links to them: an interrupted undo may have left either. */
  async #marked(layout: TrustLayout): Promise<{ name: string; what: string }[]> {
    const marked: { name: string; what: string }[] = [];
    for (const folder of [layout.anchors, LINKS]) {
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
  async #updateDebianWithout(files: readonly string[]): Promise<string[]> {
    const list = await readFile(at(this.#system, DEBIAN_LIST), 'utf8').catch(() => '');
    const deselected = files.map((file) => `!${path.basename(file)}\n`).join('');
    return withRuntimeFile(this.#system, 'ca-certificates.conf', `${list}\n${deselected}`, (copy) =>
      this.#updateDebian(['--certsconf', copy]),
    );
  }

  /** Runs the script without its hooks. @returns what they have to be told */
  async #updateDebian(args: readonly string[]): Promise<string[]> {
    const before = new Set(await this.#links());
    const update = { name: 'update-ca-certificates', args: [...args, '--hooksdir', NO_HOOKS], timeoutMs: UPDATE_MS };
    await runToolChecked(this.#system, update, 'trust-store-failed');
    const after = new Set(await this.#links());
    const added = [...after].filter((name) => !before.has(name)).map((name) => `+${LINKS}/${name}`);
    const removed = [...before].filter((name) => !after.has(name)).map((name) => `-${LINKS}/${name}`);
    return [...added, ...removed];
  }

  async #links(): Promise<string[]> {
    const files = (await readdir(at(this.#system, LINKS)).catch(ignoreMissing)) ?? [];
    return files.filter((file) => file.endsWith('.pem'));
  }

  async #update(layout: TrustLayout): Promise<void> {
    await runToolChecked(this.#system, { ...layout.update, timeoutMs: UPDATE_MS }, 'trust-store-failed');
  }

  #file(layout: TrustLayout, root: Certificate): string {
    return at(this.#system, `${layout.anchors}/${rootFileName(root.der)}${layout.extension}`);
  }
}

const REFUSALS: ReadonlySet<unknown> = new Set(['EPERM', 'EACCES', 'EBUSY', 'EROFS']);

/** What the system refuses here is a fault of the trust store, not of ours. */
async function refused<Result>(act: () => Promise<Result>): Promise<Result> {
  return act().catch((error: unknown) => {
    if (!(error instanceof Error) || !REFUSALS.has(systemErrorCode(error))) throw error;
    throw new KiwiError('trust-store-failed', { detail: error.message, cause: error });
  });
}

function withoutSpace(pem: string): string {
  return pem.replace(/\s+/g, '');
}
