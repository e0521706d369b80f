import { KEY_USAGE } from './certificate-fields.ts';
import type { Certificate } from './certificate.ts';
import { DerError } from './der-element.ts';
import { nameFault } from './name-fault.ts';
import {
  NAME_CONSTRAINTS,
  NameConstraintsError,
  readNameConstraints,
  type NameConstraints,
} from './name-constraints.ts';
import { EKU } from './roles.ts';

export type ChainReason =
  | 'not-yet-valid'
  | 'expired'
  | 'issuer-name'
  | 'signature'
  | 'not-ca'
  | 'path-length'
  | 'key-usage'
  | 'extended-key-usage'
  | 'name-constraints'
  | 'name'
  | 'critical-extension'
  | 'leaf-is-ca'
  | 'unknown-root';

export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly reason: ChainReason;
  /** Which certificate of the chain: leaf, intermediate or root. */
  readonly which: 'leaf' | 'intermediate' | 'root';

  constructor(which: ChainError['which'], reason: ChainReason, more?: string) {
    super(`${which}: ${reason}${more === undefined ? '' : ` (${more})`}`);
    this.which = which;
    this.reason = reason;
  }
}

const EXTENDED_KEY_USAGE = '2.5.29.37';
/** Critical extensions that this verifier or its caller handles (RFC 5280, section 4.2). */
const UNDERSTOOD = ['2.5.29.15', '2.5.29.19', EXTENDED_KEY_USAGE, '2.5.29.17'];

/**
 * Verifies the only chain that KiwiStack uses: leaf ← intermediate ← root, the root being one of `roots`. Checks
 * byte-equal names, signatures, dates at `at`, CA flags, path lengths, key usages, name constraints, and that there is no
 * unknown critical extension (RFC 5280, section 6.1, for this chain). The caller checks the leaf's role, names and
 * revocation.
 *
 * @returns the root that ends the chain
 * @throws ChainError naming the certificate and the reason
 */
export function verifyChain(input: {
  leaf: Certificate;
  intermediate: Certificate;
  roots: readonly Certificate[];
  at: Date;
}): { root: Certificate } {
  const { leaf, intermediate, roots, at } = input;
  // A root may not take the place of the intermediate: certificates that it signed itself belong to no customer.
  if (intermediate.subjectDer.equals(intermediate.issuerDer)) throw new ChainError('intermediate', 'issuer-name');
  // Only roots with the issuer's name are tried; if two roots have that name, both are.
  const named = roots.filter((root) => root.subjectDer.equals(intermediate.issuerDer));
  if (named.length === 0) throw new ChainError('intermediate', 'unknown-root');
  const root = named.find((candidate) => intermediate.isSignedBy(candidate));
  if (root === undefined) throw new ChainError('intermediate', 'signature');

  checkIssuer('root', root, 1);
  checkIssuer('intermediate', intermediate, 0);
  if (leaf.isCa) throw new ChainError('leaf', 'leaf-is-ca');
  if (!leaf.issuerDer.equals(intermediate.subjectDer)) throw new ChainError('leaf', 'issuer-name');
  if (!leaf.isSignedBy(intermediate)) throw new ChainError('leaf', 'signature');
  if (leaf.keyUsage !== undefined && (leaf.keyUsage & KEY_USAGE.digitalSignature) === 0) {
    throw new ChainError('leaf', 'key-usage');
  }
  for (const [which, certificate] of [
    ['root', root],
    ['intermediate', intermediate],
    ['leaf', leaf],
  ] as const) {
    if (at < certificate.notBefore) throw new ChainError(which, 'not-yet-valid');
    if (at > certificate.notAfter) throw new ChainError(which, 'expired');
    const understood = certificate.isCa ? [...UNDERSTOOD, NAME_CONSTRAINTS] : UNDERSTOOD;
    if (certificate.criticalOids.some((oid) => !understood.includes(oid))) {
      throw new ChainError(which, 'critical-extension');
    }
  }
  checkBelow('root', root, [
    ['intermediate', intermediate],
    ['leaf', leaf],
  ]);
  checkBelow('intermediate', intermediate, [['leaf', leaf]]);
  return { root };
}

/** Read once for each CA, because the same two are above everything that a gateway verifies. */
const constraintsOf = new WeakMap<Certificate, NameConstraints>();

function nameConstraintsOf(issuer: Certificate): NameConstraints | undefined {
  const known = constraintsOf.get(issuer);
  const der = issuer.extension(NAME_CONSTRAINTS);
  if (known !== undefined || der === undefined) return known;
  const constraints = readNameConstraints(der);
  constraintsOf.set(issuer, constraints);
  return constraints;
}

/** What a CA limits for the certificates below it: their names, and what their keys may be used for. */
function checkBelow(
  which: 'root' | 'intermediate',
  issuer: Certificate,
  below: readonly (readonly ['intermediate' | 'leaf', Certificate])[],
): void {
  const usages = issuer.extension(EXTENDED_KEY_USAGE) === undefined ? [EKU.any] : issuer.extendedKeyUsages;
  try {
    const constraints = nameConstraintsOf(issuer);
    for (const [place, certificate] of below) {
      // RFC 5280 leaves it open whether a CA's extended key usages limit what is below it; OpenSSL, Go and Windows say yes.
      const own = certificate.extendedKeyUsages;
      if (!usages.includes(EKU.any) && (own.length === 0 || !own.every((usage) => usages.includes(usage)))) {
        throw new ChainError(place, 'extended-key-usage');
      }
      if (constraints === undefined) continue;
      const fault = nameFault(constraints, certificate, place === 'leaf' ? 'leaf' : 'ca');
      if (fault !== undefined) throw new ChainError(place, 'name', fault);
    }
  } catch (error) {
    if (!(error instanceof NameConstraintsError || error instanceof DerError)) throw error;
    throw new ChainError(which, 'name-constraints', error.message);
  }
}

/** @param below how many CA certificates are between this one and the leaf */
function checkIssuer(which: 'root' | 'intermediate', certificate: Certificate, below: number): void {
  if (!certificate.isCa) throw new ChainError(which, 'not-ca');
  if (certificate.pathLength !== undefined && certificate.pathLength < below)
    throw new ChainError(which, 'path-length');
  if (certificate.keyUsage === undefined || (certificate.keyUsage & KEY_USAGE.keyCertSign) === 0) {
    throw new ChainError(which, 'key-usage');
  }
}
