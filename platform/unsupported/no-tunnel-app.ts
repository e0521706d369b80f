import { KiwiError } from '../../src/core/errors.ts';
import type { TunnelApp } from '../../src/laptop/system/tunnel-app.ts';

/** Where nothing but this program can keep the tunnel. */
export function noTunnelApp(system: string): TunnelApp {
  const refuse = (): Promise<never> => Promise.reject(new KiwiError('tunnel-app-unsupported', { detail: system }));
  return {
    look: () => Promise.resolve(undefined),
    offer: refuse,
    withdraw: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    stopDaemon: refuse,
  };
}
