import { KiwiError } from '../../core/errors.ts';
import { nextKeeperStep } from '../tunnel/next-keeper-step.ts';
import { notWell, well, type Check } from './check.ts';

/** What is left to do, in the words of a person. An offer that only lies about is no fault of the tunnel's. */
const UNSETTLED = {
  'hand-over': 'this program and the WireGuard app keep it both, with one key',
  'take-back': 'neither this program nor the WireGuard app keeps it',
  withdraw: 'the profile for the WireGuard app is not needed any more, and still lies there with the key',
} as const;

/** Only macOS has the other way: platform/macos/tunnel/wireguard-app.ts. */
export const tunnelKeeper: Check = {
  code: 'tunnel-keeper',
  severity: 'warning',
  what: 'Either this program or the WireGuard app keeps the tunnel, and nothing waits for a person.',
  matters: 'Two tunnels with one key take each other’s packets; without any, nothing inside can be reached.',
  dependsOn: [],
  async run({ context, keepers }) {
    const found = await keepers();
    if (found === undefined) return well('this program keeps it');
    const step = nextKeeperStep(found, context.clock.now());
    if (step !== 'nothing') {
      return notWell(new KiwiError('enrollment-unhealthy', { detail: UNSETTLED[step] }), 'settle-tunnel');
    }
    if (found.app) return well('the WireGuard app keeps it, once somebody has logged in');
    if (found.offeredAt === undefined) return well('this program keeps it');
    const detail = `offered at ${new Date(found.offeredAt).toISOString()}; this program keeps the tunnel meanwhile`;
    return notWell(new KiwiError('tunnel-app-waiting', { detail }));
  },
};
