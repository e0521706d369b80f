import type { LaptopContext } from '../system/laptop-context.ts';
import { GatewayClient, type GatewayClientOptions } from './gateway-client.ts';
import { proxyFromEnvironment } from './proxy.ts';

/**
 * A gateway client that uses this laptop's clock, trusts the roots of its system and goes through the proxy that the environment
 * names. The caller closes it.
 * @throws KiwiError `proxy-invalid`
 */
export async function openGatewayClient(
  { platform, clock }: LaptopContext,
  gatewayUrl: string,
  options: Pick<GatewayClientOptions, 'retries'> = {},
): Promise<GatewayClient> {
  const proxy = proxyFromEnvironment(new URL(gatewayUrl), process.env);
  const systemCa = (await platform.trust.systemCaBundle()) ?? '';
  return new GatewayClient({ gatewayUrl, systemCa, proxy, clock, ...options });
}
