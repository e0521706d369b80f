import type { Certificate } from './certificate.ts';
import {
  NAME_CONSTRAINTS,
  NameConstraintsError,
  prefixOf,
  readNameConstraints,
  type NameConstraints,
  type Subtree,
} from './name-constraints.ts';
import { EKU } from './roles.ts';

/**
 * A host that cannot exist (RFC 6761, section 6.4). A list of permitted names is what forbids all others, so a form of
 * name of which the customer has none gets this entry.
 */
const NOBODY = 'kiwistack.invalid';

/** Shortest prefixes of the networks that an intermediate may speak for, as for the routes of a tunnel. */
const SHORTEST = { 4: 8, 16: 32 } as const;

/** What the certificates of a customer are used for: the slice's own, the YubiKeys', the laptops', and servers inside. */
export const CONFINED_USAGES = [
  ...[EKU.gateway, EKU.enrollmentKey, EKU.operatorKey, EKU.clientAuth, EKU.serverAuth],
] as const;

/**
 * The name constraints of a customer's intermediate: the customer's domains and the networks inside, and nothing else
 * that a program could take for a server or a mailbox. URIs are left alone: ours are URNs, which name no host, and a
 * constraint of that form forbids any URI without one (RFC 5280, section 4.2.1.10). IPv6 is excluded beside the
 * permitted IPv4 networks, for programs that look at the two apart.
 *
 * @param networks IPv4, as CIDR
 */
export function confinementOf(names: {
  readonly domains: readonly string[];
  readonly networks: readonly string[];
}): NameConstraints {
  const domains = names.domains.length === 0 ? [NOBODY] : names.domains;
  return {
    permitted: [
      ...domains.map((base) => ({ form: 'dns' as const, base })),
      { form: 'email', base: NOBODY },
      ...names.networks.map(subtreeOfNetwork),
    ],
    excluded: [{ form: 'ip', address: Buffer.alloc(16), mask: Buffer.alloc(16) }],
  };
}

/**
 * Says what is missing for the root above an intermediate to enter a laptop's trust store. Whoever holds the key of an
 * intermediate without limits could otherwise speak for every website to every program on the laptop.
 */
export function confinementFault(intermediate: Certificate): string | undefined {
  if (intermediate.pathLength !== 0) return 'it may have CAs below it';
  const usages = intermediate.extendedKeyUsages;
  const known: readonly string[] = CONFINED_USAGES;
  if (usages.length === 0 || !usages.every((usage) => known.includes(usage))) return 'its key usages are not limited';
  const der = intermediate.extension(NAME_CONSTRAINTS);
  if (der === undefined || !intermediate.criticalOids.includes(NAME_CONSTRAINTS)) return 'its names are not limited';
  try {
    const constraints = readNameConstraints(der);
    if (!limitsDns(constraints)) return 'its DNS names are not limited';
    if (!limitsAddresses(constraints, 4) || !limitsAddresses(constraints, 16)) return 'its addresses are not limited';
    return undefined;
  } catch (error) {
    if (!(error instanceof NameConstraintsError)) throw error;
    return `its name constraints: ${error.message}`;
  }
}

/** Domains of at least two labels; which of these are open to everybody (`co.uk`), only the provider can know. */
function limitsDns({ permitted, excluded }: NameConstraints): boolean {
  const bases = (list: readonly Subtree[]): string[] =>
    list.flatMap((subtree) => (subtree.form === 'dns' ? [subtree.base] : []));
  if (bases(excluded).includes('')) return true;
  const allowed = bases(permitted);
  return allowed.length > 0 && allowed.every((base) => /^\.?[^.]+\.[^.]/.test(base));
}

function limitsAddresses({ permitted, excluded }: NameConstraints, octets: 4 | 16): boolean {
  const prefixes = (list: readonly Subtree[]): number[] =>
    list.flatMap((subtree) =>
      subtree.form === 'ip' && subtree.mask.length === octets ? [prefixOf(subtree.mask)] : [],
    );
  if (prefixes(excluded).includes(0)) return true;
  const allowed = prefixes(permitted);
  return allowed.length > 0 && allowed.every((prefix) => prefix >= SHORTEST[octets]);
}

function subtreeOfNetwork(cidr: string): Subtree {
  const [base = '', prefix = ''] = cidr.split('/');
  const mask = Buffer.from(
    [0, 8, 16, 24].map((at) => (0xff00 >> Math.min(8, Math.max(0, Number(prefix) - at))) & 0xff),
  );
  const address = Buffer.from(base.split('.').map((octet, at) => Number(octet) & (mask[at] ?? 0)));
  return { form: 'ip', address, mask };
}
