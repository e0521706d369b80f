import type { Certificate } from '../../pki/certificate.ts';
import type { Found } from './found.ts';

/**
 * The operating system's store of trusted roots. Obligations of an implementation:
 * - `install` adds the roots and nothing else; repeated, it changes nothing. It resolves once `verify` would be true.
 *   An abort takes effect at once where other programs are told of the roots. `again`: also where the roots are trusted already,
 *   so that what they are generated from is there.
 * - `verify` looks at what programs will read (the generated bundle), not at the file that we put there.
 * - `remove` removes these roots and those that `found` calls ours, also from what is generated; repeated or without an
 *   install it changes nothing. A root that somebody else added stays.
 *   A program that cannot be told of it is named: `trust-store-failed`, and the next call tells it again.
 * - `found` changes nothing and needs no record.
 * - `systemCaBundle` is the PEM text that programs of this system trust, or undefined where there is no such text.
 */
export interface TrustStore {
  install(roots: readonly Certificate[], signal?: AbortSignal, again?: 'again'): Promise<void>;
  verify(roots: readonly Certificate[]): Promise<boolean>;
  remove(roots: readonly Certificate[]): Promise<void>;
  found(): Promise<readonly Found[]>;
  systemCaBundle(): Promise<string | undefined>;
}
