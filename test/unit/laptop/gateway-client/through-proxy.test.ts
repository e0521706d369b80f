import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { KiwiError } from '../../../../src/core/errors.ts';
import { GatewayClient } from '../../../../src/laptop/gateway-client/gateway-client.ts';
import { parseProxy } from '../../../../src/laptop/gateway-client/proxy.ts';
import { say, startLocalGateway, type LocalGateway } from './local-gateway.ts';
import { startLocalProxy, type LocalProxy } from './local-proxy.ts';

let gateway: LocalGateway;
let proxy: LocalProxy;
const clients: GatewayClient[] = [];
beforeEach(async () => {
  [gateway, proxy] = await Promise.all([startLocalGateway(), startLocalProxy()]);
  gateway.answer(say(200, 'application/jose', 'the.challenge.jws'));
});
afterEach(async () => {
  await Promise.all([...clients.splice(0), gateway, proxy].map((open) => open.close()));
});

const through = (address: string): GatewayClient => {
  const options = { gatewayUrl: gateway.url, systemCa: gateway.ca, retries: 0 };
  const client = new GatewayClient({ ...options, proxy: parseProxy(address, 'HTTPS_PROXY') });
  clients.push(client);
  return client;
};
const hello = (client: GatewayClient): Promise<string> => client.hello(Buffer.from('{}'));
const failure = (address: string): Promise<KiwiError> =>
  hello(through(address)).then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => error as KiwiError,
  );

describe('the gateway client behind a proxy', () => {
  it('has itself connected to the gateway, and shows the proxy its credentials', async () => {
    const client = through(`anna:pa%40ss@${proxy.address}`);
    expect(await hello(client)).toBe('the.challenge.jws');
    expect(await hello(client)).toBe('the.challenge.jws');
    expect(new Set(proxy.asked)).toEqual(new Set([`${new URL(gateway.url).host} anna:pa@ss`]));
    expect(gateway.seen.map(({ headers }) => headers['proxy-authorization'])).toEqual([undefined, undefined]);
  });

  it.each([
    [407, 'proxy-authentication', false],
    [403, 'proxy-refused', false],
    [502, 'gateway-unreachable', true],
  ])('says who answered %i', async (status, code, retryable) => {
    proxy.status = status;
    const error = await failure(`anna:geheim@${proxy.address}`);
    const detail = `http://${proxy.address} (from HTTPS_PROXY) answered HTTP ${status}`;
    expect(error).toMatchObject({ code, detail, retryable });
  });

  it('says which proxy does not answer', async () => {
    await proxy.close();
    const detail = `http://${proxy.address} (from HTTPS_PROXY): ECONNREFUSED`;
    expect(await failure(proxy.address)).toMatchObject({ code: 'proxy-unreachable', detail });
  });

  it('knows the gateway’s own certificate from the proxy’s', async () => {
    const other = await startLocalGateway('other.example');
    const client = new GatewayClient({
      ...{ gatewayUrl: other.url, systemCa: other.ca, retries: 0 },
      proxy: parseProxy(proxy.address, 'HTTPS_PROXY'),
    });
    await expect(hello(client)).rejects.toMatchObject({ code: 'gateway-tls', detail: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await Promise.all([client.close(), other.close()]);
  });
});
