import type { LaptopContext } from '../system/laptop-context.ts';
import { GatewayClient, type GatewayClientOptions } from './gateway-client.ts';

/** A gateway client that uses this laptop's clock and trusts the roots of its system. The caller closes it. */
export async function openGatewayClient(
  { platform, clock }: LaptopContext,
  gatewayUrl: string,
  options: Pick<GatewayClientOptions, 'retries'> = {},
): Promise<GatewayClient> {
  const systemCa = (await platform.trust.systemCaBundle()) ?? '';
  return new GatewayClient({ gatewayUrl, systemCa, clock, ...options });
}
