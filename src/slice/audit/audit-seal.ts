import type { Clock } from '../../core/clock.ts';
import { ignoreMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readSliceFile } from '../config/read-slice-file.ts';
import type { SliceIdentity } from '../config/slice-identity.ts';
import { FIRST_LINK } from '../registry/audit-link.ts';
import type { Registry } from '../registry/registry.ts';
import { openCheckpoint, signCheckpoint, type Checkpoint } from './checkpoint.ts';
import { trailOf } from './trail-of.ts';
import { BEGINNING, walkTrail, type Trail } from './walk-trail.ts';

export interface SealParts {
  /** Beside the registry, not in it: rights to the database alone do not reach it. */
  readonly file: string;
  readonly slug: string;
  readonly identity: SliceIdentity;
  readonly registry: Pick<Registry, 'readAudit'>;
  readonly clock: Clock;
}

const NOTHING = { records: 0, link: FIRST_LINK };

/** Keeps the last checkpoint of the audit. */
export class AuditSeal {
  readonly #parts: SealParts;
  #whole = true;

  constructor(parts: SealParts) {
    this.#parts = parts;
  }

  /** False when the trail was found changed at the last attempt to seal it. */
  get whole(): boolean {
    return this.#whole;
  }

  /** The last one. @throws KiwiError `slice-damaged` */
  async checkpoint(): Promise<{ readonly jws: string; readonly content: Checkpoint } | undefined> {
    const { file, slug, identity } = this.#parts;
    const bytes = await readSliceFile(file, { private: true }).catch(ignoreMissing);
    if (bytes === undefined) return undefined;
    const jws = bytes.toString().trim();
    return { jws, content: openCheckpoint(jws, slug, identity.mspRoot) };
  }

  /**
   * Signs how far the trail goes, after it was seen to go on from the last checkpoint: a trail that was changed is never sealed anew.
   * @throws KiwiError `slice-damaged` when it was
   */
  async seal(): Promise<void> {
    const { registry } = this.#parts;
    const last = (await this.checkpoint())?.content;
    const sealed = last?.records ?? 0;
    // The last record that was sealed shows whether it is the same trail, without all of it being read.
    const [end] = sealed === 0 ? [] : await registry.readAudit(sealed - 1, 1);
    const from = sealed === 0 ? BEGINNING : { records: sealed, link: end?.id === sealed ? end.link : 'missing' };
    const trail = await walkTrail(trailOf(registry, sealed), { last }, from);
    this.#whole = trail.fault === undefined;
    if (trail.fault !== undefined) throw broken(trail.fault.what);
    if (last === undefined || trail.records > sealed) await this.#write(trail, last?.accepted ?? NOTHING);
  }

  /** All of the trail, compared with the last checkpoint and with others. */
  async verify(others: readonly Checkpoint[] = []): Promise<Trail & { readonly last: Checkpoint | undefined }> {
    const last = (await this.checkpoint())?.content;
    return { ...(await walkTrail(trailOf(this.#parts.registry), { last, others })), last };
  }

  /** Seals the trail as it is, whatever became of it: an operator has looked at it, and says so in the audit. */
  async accept(): Promise<void> {
    const trail = await walkTrail(trailOf(this.#parts.registry));
    await this.#write(trail, { records: trail.records, link: trail.relinked });
  }

  async #write({ records, link }: Trail, accepted: Checkpoint['accepted']): Promise<void> {
    const { file, slug, identity, clock } = this.#parts;
    const at = new Date(clock.now()).toISOString();
    await writeDurableFile(file, `${await signCheckpoint(identity, { slug, records, link, accepted, at })}\n`, 0o600);
  }
}

const broken = (what: string): KiwiError =>
  new KiwiError('slice-damaged', {
    detail: `the audit: ${what}`,
    hint: 'Run `kiwistack-operator audit verify`, and see "The audit was changed" in docs/operators.md.',
  });
