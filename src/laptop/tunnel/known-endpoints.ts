import { splitEndpoint } from './endpoint-candidates.ts';

/**
 * Where a slice's WireGuard may be: the granted endpoints, and the gateway's host with their ports. A slice whose endpoint was
 * granted as a literal address can only be followed by the name of its gateway, which usually is the same machine. Another machine
 * there does no harm: it has not got the peer's key.
 */
export function knownEndpoints(granted: readonly string[], gatewayUrl: string): string[] {
  const { hostname } = new URL(gatewayUrl);
  return [...new Set([...granted, ...granted.map((endpoint) => `${hostname}:${splitEndpoint(endpoint).port}`)])];
}
