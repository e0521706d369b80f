import type { IntermediateScope } from '../../provider/issue-intermediate.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** The names that a slice needs: its domains, and the networks that its laptops reach. step-ca's own address is among them. */
export function scopeOf({ customer, inside }: SliceConfig): IntermediateScope {
  return {
    customer,
    domains: inside.dns.domains,
    networks: [...new Set([`${inside.address}/32`, inside.network, ...inside.cidrs])],
  };
}
