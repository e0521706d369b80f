import type { Inspector } from '../../../src/laptop/system/inspector.ts';

const UNIT = { known: true, active: 'active', enabled: 'enabled', result: 'success', restarts: 0 } as const;
const FILE = { kind: 'file', mode: 0o600, uid: 0, modifiedAt: 0 } as const;

/** A system on which nothing is wrong, as root sees it, except for what a test says, also later on. */
export function healthyInspector(different: Partial<Inspector>): Inspector {
  const healthy: Inspector = {
    isRoot: () => true,
    file: (path) => Promise.resolve(path.endsWith('/lock') ? undefined : FILE),
    names: () => Promise.resolve([]),
    disk: () => Promise.resolve({ writable: true, freeBytes: 50e9, freeInodes: 1_000_000 }),
    units: (names) => Promise.resolve(names.map(() => UNIT)),
    clockSynchronised: () => Promise.resolve(true),
    interfaceFor: (address) => Promise.resolve(address.startsWith('10.77.') ? 'kiwi-acme' : 'wlan0'),
    routingRules: () => Promise.resolve([]),
    resolver: () =>
      Promise.resolve([
        { interface: 'wlan0', servers: ['192.0.2.1'], domains: [], takesOthers: true },
        { interface: 'kiwi-acme', servers: ['10.77.1.30'], domains: ['~corp.example'], takesOthers: false },
      ]),
    resolve: () => Promise.resolve(['203.0.113.10']),
    peer: () => Promise.resolve(undefined),
    wireguard: () => Promise.resolve('kernel'),
    missingPrograms: () => Promise.resolve([]),
    package: () => Promise.resolve({ version: '0.1.0', altered: [] }),
    browserStores: () => Promise.resolve([]),
  };
  return new Proxy(healthy, { get: (target, name) => Reflect.get({ ...target, ...different }, name) as unknown });
}
