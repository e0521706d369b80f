import { z } from 'zod';

import { KiwiError } from '../core/errors.ts';
import { readGivenFile } from '../core/read-given-file.ts';
import { DAY, YEAR } from '../pki/issue.ts';
import { ipv4Cidr, slug, text } from '../protocol/common.ts';
import { domain } from '../protocol/grant.ts';
import { parseConfigFile } from '../slice/config/slice-config.ts';
import type { IntermediateScope } from './issue-intermediate.ts';
import { MAX_GIVEN } from './request-file.ts';

/** A life of five years, as without a policy. */
const MOST_DAYS = Math.round((5 * YEAR) / DAY);

/**
 * What a provider signs: for whom, for which names, and for how long at most. It is kept with the root key, where a request
 * that was exchanged on its way cannot reach it.
 */
const providerPolicy = z.strictObject({
  version: z.literal(1),
  /** The longest life of an intermediate. What was stolen is trusted so long by whoever takes no revocation list. */
  longestDays: z.int().min(1).max(MOST_DAYS),
  customers: z
    .array(
      z.strictObject({
        slug,
        name: text(100),
        /** The customer's own; what is below one is allowed with it. */
        domains: z.array(domain).max(64),
        /** Networks of which an intermediate may have parts; absent: the private ones of RFC 1918. */
        networks: z.array(ipv4Cidr).max(64).optional(),
      }),
    )
    .max(10_000),
});
export type ProviderPolicy = z.infer<typeof providerPolicy>;

/** RFC 1918, section 3; RFC 6598 (100.64.0.0/10), which tunnels use; and loopback, for a slice that is tried out. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '127.0.0.0/8'];

/** @throws KiwiError `file-unusable` */
export async function readPolicy(file: string): Promise<ProviderPolicy> {
  const bytes = await readGivenFile(file, { option: '--policy', maxBytes: 4 * MAX_GIVEN });
  return parseConfigFile(providerPolicy, bytes, file, 'file-unusable');
}

/**
 * For how long an intermediate is signed.
 * @param days what is asked for; absent: the longest that the policy allows
 * @throws KiwiError `provider-policy-refused`, naming all that is outside the policy
 */
export function lifeUnder(policy: ProviderPolicy, scope: IntermediateScope, days?: number): number {
  const outside = outsideOf(policy, scope);
  if (days !== undefined && days > policy.longestDays) {
    outside.push(`${days} days, and the longest life is ${policy.longestDays} days`);
  }
  if (outside.length > 0) throw new KiwiError('provider-policy-refused', { detail: outside.join('; ') });
  return (days ?? policy.longestDays) * DAY;
}

/** What of a request the policy does not allow. */
export function outsideOf(policy: ProviderPolicy, { customer, domains, networks }: IntermediateScope): string[] {
  const allowed = policy.customers.find((each) => each.slug === customer.slug);
  if (allowed === undefined) return [`no customer ${customer.slug}`];
  const inside = allowed.networks ?? PRIVATE;
  return [
    ...(allowed.name === customer.name ? [] : [`the customer ${customer.slug} is called ${allowed.name}`]),
    ...domains.filter((name) => !allowed.domains.some((base) => isBelow(name, base))).map((name) => `domain ${name}`),
    ...networks.filter((network) => !inside.some((each) => holds(each, network))).map((net) => `network ${net}`),
  ];
}

const isBelow = (name: string, base: string): boolean => name === base || name.endsWith(`.${base}`);

function holds(outer: string, inner: string): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return b.first >= a.first && b.last <= a.last;
}

function rangeOf(cidr: string): { first: number; last: number } {
  const [base = '', prefix = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(prefix));
  const address = base.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}
