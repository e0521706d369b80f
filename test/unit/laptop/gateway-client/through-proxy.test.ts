import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { KiwiError } from '../../../../src/core/errors.ts';
import { connectThroughProxy } from '../../../../src/laptop/gateway-client/connect-through-proxy.ts';
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

  it('uses a kept proxy only where there is no direct way', async () => {
    const fallbackProxy = parseProxy(`anna:geheim@${proxy.address}`, 'the enrollment');
    const options = { systemCa: gateway.ca, retries: 0, fallbackProxy };
    const direct = new GatewayClient({ ...options, gatewayUrl: gateway.url });
    expect(await hello(direct)).toBe('the.challenge.jws');
    expect(direct.proxy).toBeUndefined();
    expect(proxy.asked).toEqual([]);

    proxy.target = new URL(gateway.url).host;
    const barred = new GatewayClient({ ...options, gatewayUrl: 'https://127.0.0.1:1' });
    clients.push(direct, barred);
    expect(await hello(barred)).toBe('the.challenge.jws');
    expect(barred.proxy).toBe(`http://anna:geheim@${proxy.address}/`);
    expect(new Set(proxy.asked)).toEqual(new Set(['127.0.0.1:1 anna:geheim']));

    proxy.status = 407;
    const refused = new GatewayClient({ ...options, gatewayUrl: 'https://127.0.0.1:1' });
    clients.push(refused);
    const detail = `http://${proxy.address} (from the enrollment) answered HTTP 407`;
    await expect(hello(refused)).rejects.toMatchObject({ code: 'proxy-authentication', detail });
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

describe('a proxy that is reached over TLS', () => {
  it('gets no password before it has proved itself, also where the gateway need not', async () => {
    const [proxy, trusted] = [await startLocalGateway(), await startLocalGateway()];
    const url = new URL(proxy.url);
    url.username = 'user';
    url.password = 'secret';
    const options = { ca: trusted.ca, timeout: 5000, rejectUnauthorized: false };
    const connector = connectThroughProxy({ url, name: 'the proxy' }, options);
    const target = { hostname: 'gateway.example', port: '443', protocol: 'https:', host: 'gateway.example' };
    const error = await new Promise((resolve) => {
      connector.connect(target, (...[failure]) => {
        resolve(failure);
      });
    });
    expect(error).toMatchObject({ code: 'proxy-unreachable', detail: 'the proxy: UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    await Promise.all([connector.close(), proxy.close(), trusted.close()]);
  });
});
