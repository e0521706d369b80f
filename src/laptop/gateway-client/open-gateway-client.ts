import type { LaptopContext } from '../system/laptop-context.ts';
import { GatewayClient, type GatewayClientOptions } from './gateway-client.ts';
import { parseProxy, proxyFromEnvironment, type Proxy } from './proxy.ts';

export interface OpenOptions extends Pick<GatewayClientOptions, 'retries' | 'pastMs'> {
  /** The URL of the proxy through which the enrollment reached the gateway: a timer has nobody's environment. */
  readonly keptProxy: string | undefined;
}

/**
 * A gateway client that uses this laptop's clock, trusts the roots of its system and goes through the proxy that the environment
 * names, else where there is no direct way through the one that was kept. The caller closes it.
 * @throws KiwiError `proxy-invalid`
 */
export async function openGatewayClient(
  { platform, clock, log }: LaptopContext,
  gatewayUrl: string,
  { keptProxy, ...options }: OpenOptions,
): Promise<GatewayClient> {
  const proxy = environmentProxy(gatewayUrl);
  const fallbackProxy = keptProxy === undefined ? undefined : parseProxy(keptProxy, 'the enrollment');
  const systemCa = (await platform.trust.systemCaBundle()) ?? '';
  return new GatewayClient({ gatewayUrl, systemCa, proxy, fallbackProxy, clock, log, ...options });
}

/** The proxy that this process's environment names for a gateway. @throws KiwiError `proxy-invalid` */
export function environmentProxy(gatewayUrl: string): Proxy | undefined {
  return proxyFromEnvironment(new URL(gatewayUrl), process.env);
}
