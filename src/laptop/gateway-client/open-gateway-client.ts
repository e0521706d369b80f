import type { LaptopContext } from '../system/laptop-context.ts';
import { GatewayClient, type GatewayClientOptions } from './gateway-client.ts';

/** A client of a gateway on this laptop's clock, under the roots of its system. Whoever opens it closes it. */
export async function openGatewayClient(
  { platform, clock }: LaptopContext,
  gatewayUrl: string,
  options: Pick<GatewayClientOptions, 'retries'> = {},
): Promise<GatewayClient> {
  const systemCa = (await platform.trust.systemCaBundle()) ?? '';
  return new GatewayClient({ gatewayUrl, systemCa, clock, ...options });
}
