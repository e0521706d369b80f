import { KiwiError } from '../../core/errors.ts';
import { environmentProxy } from '../gateway-client/open-gateway-client.ts';
import { parseProxy } from '../gateway-client/proxy.ts';
import { notWell, well, type Check } from './check.ts';

export const proxySame: Check = {
  code: 'proxy',
  severity: 'warning',
  what: 'The environment names the proxy that was kept at the enrollment, or none.',
  matters: 'What works in this terminal may not work in the hourly check.',
  dependsOn: [],
  run({ record: { gatewayUrl, proxy } }) {
    // Throws `proxy-invalid` for what is no address.
    const named = environmentProxy(gatewayUrl);
    const kept = proxy === undefined ? undefined : parseProxy(proxy, 'the enrollment');
    if (named === undefined) return Promise.resolve(well(kept === undefined ? 'none' : `${kept.url.origin}, as kept`));
    if (kept?.url.origin === named.url.origin) return Promise.resolve(well(named.name));
    const detail = `${named.name}; kept is ${kept?.url.origin ?? 'none'}`;
    return Promise.resolve(notWell(new KiwiError('proxy-differs', { detail })));
  },
};
