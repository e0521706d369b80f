import { DerError, elementsOf, writeElement, type DerElement } from './der-element.ts';

/** Name constraints (RFC 5280, section 4.2.1.10), an extension of CA certificates. */
export const NAME_CONSTRAINTS = '2.5.29.30';

/** A GeneralName (RFC 5280, section 4.2.1.6). Only these four forms can be constrained here. */
export type GeneralName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly form: 'ip'; readonly value: Buffer }
  | { readonly form: 'other'; readonly tag: number };

/** The names that a subtree covers: those at or below `base`, or the addresses of a network. */
export type Subtree =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly base: string }
  | { readonly form: 'ip'; readonly address: Buffer; readonly mask: Buffer };

export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

export class NameConstraintsError extends Error {
  override readonly name = 'NameConstraintsError';
}

const SEQUENCE = 0x30;
const TAG = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const BASE = {
  /** Empty: every name. A dot in front, which RFC 5280 does not define here but OpenSSL takes: the names below only. */
  dns: (base: string) => base === '' || isHost(base.replace(/^\./, '')),
  /** A mailbox, a host, or with a dot in front the hosts below a domain. */
  email: (base: string) => isHost(base.replace(/^(?:[^@\s]+@|\.)/, '')),
  uri: (base: string) => isHost(base.replace(/^\./, '')),
} as const;

/** True for a DNS name in lower case. */
export function isHost(name: string): boolean {
  return name.length <= 253 && HOST.test(name);
}

/**
 * Reads the content of the extension. A constraint that could be understood in two ways, or of a form that is not
 * handled (directory names, other names), is refused as a whole: to leave it out would be to allow what it forbids.
 *
 * @throws NameConstraintsError
 */
export function readNameConstraints(der: Buffer): NameConstraints {
  try {
    const [sequence, ...more] = elementsOf(der);
    if (sequence?.tag !== SEQUENCE || more.length > 0) throw new NameConstraintsError('not a sequence');
    const parts = elementsOf(sequence.content);
    const tags = parts.map(({ tag }) => tag).join();
    if (![`${PERMITTED}`, `${EXCLUDED}`, `${PERMITTED},${EXCLUDED}`].includes(tags)) {
      throw new NameConstraintsError('neither permitted nor excluded names');
    }
    const subtreesAt = (wanted: number): Subtree[] =>
      parts.filter(({ tag }) => tag === wanted).flatMap(({ content }) => subtreesOf(content));
    return { permitted: subtreesAt(PERMITTED), excluded: subtreesAt(EXCLUDED) };
  } catch (error) {
    if (error instanceof DerError) throw new NameConstraintsError(error.message, { cause: error });
    throw error;
  }
}

/** The general names in the content of a subject alternative name extension. @throws DerError */
export function readGeneralNames(der: Buffer): GeneralName[] {
  const [sequence, ...more] = elementsOf(der);
  if (sequence?.tag !== SEQUENCE || more.length > 0) throw new DerError('not a sequence');
  return elementsOf(sequence.content).map(({ tag, content }) => {
    if (tag === TAG.ip) return { form: 'ip', value: content };
    const form = (['dns', 'email', 'uri'] as const).find((each) => TAG[each] === tag);
    return form === undefined ? { form: 'other', tag } : { form, value: content.toString('latin1') };
  });
}

/** The content of the extension for these constraints; each of the two lists is left out when it is empty. */
export function renderNameConstraints({ permitted, excluded }: NameConstraints): Buffer {
  const render = (subtree: Subtree): Buffer =>
    writeElement(
      SEQUENCE,
      subtree.form === 'ip'
        ? writeElement(TAG.ip, subtree.address, subtree.mask)
        : writeElement(TAG[subtree.form], Buffer.from(subtree.base, 'latin1')),
    );
  const list = (tag: number, subtrees: readonly Subtree[]): Buffer[] =>
    subtrees.length === 0 ? [] : [writeElement(tag, ...subtrees.map(render))];
  return writeElement(SEQUENCE, ...list(PERMITTED, permitted), ...list(EXCLUDED, excluded));
}

function subtreesOf(content: Buffer): Subtree[] {
  const subtrees = elementsOf(content).map(({ tag, content: subtree }) => {
    // The minimum is 0, which DER leaves out, and there is no maximum.
    const [base, ...limits] = elementsOf(subtree);
    if (tag !== SEQUENCE || base === undefined || limits.length > 0) throw new NameConstraintsError('limits');
    return subtreeOf(base);
  });
  if (subtrees.length === 0) throw new NameConstraintsError('an empty list');
  return subtrees;
}

function subtreeOf({ tag, content }: DerElement): Subtree {
  if (tag === TAG.ip) {
    const half = content.length / 2;
    const mask = content.subarray(half);
    // IPv4 or IPv6, with a mask of ones followed by zeros (RFC 4632).
    if ((half !== 4 && half !== 16) || !/^1*0*$/.test(bitsOf(mask))) throw new NameConstraintsError('an IP network');
    return { form: 'ip', address: content.subarray(0, half), mask };
  }
  const form = (['dns', 'email', 'uri'] as const).find((each) => TAG[each] === tag);
  if (form === undefined) throw new NameConstraintsError(`a form of name that is not handled, tag ${tag}`);
  const base = content.toString('latin1');
  if (!BASE[form](base.toLowerCase())) throw new NameConstraintsError(`not a ${form} name`);
  return { form, base };
}

function bitsOf(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** How many bits of an address the mask fixes. */
export function prefixOf(mask: Buffer): number {
  return bitsOf(mask).replaceAll('0', '').length;
}
