import { entry } from './error-entry.ts';

/** Of a tunnel that another program keeps. */
export const TUNNEL_APP_CODES = {
  'tunnel-app-unsupported': entry(
    'machine',
    'On this system no other program can keep the tunnel.',
    'Nothing has changed: kiwistack-enroll keeps it. The WireGuard app can be chosen on macOS only.',
  ),
  'tunnel-app-waiting': entry(
    'person',
    'The profile for the WireGuard app has not been approved yet.',
    'Approve it in System Settings, under General, Device Management; `kiwistack-enroll tunnel --by app` shows it again, and `--by daemon` withdraws it. The tunnel works meanwhile.',
  ),
  'tunnel-app-stays': entry(
    'person',
    'The WireGuard app’s profile is still there.',
    'Remove it in System Settings, under General, Device Management, and run the command again.',
  ),
  'tunnel-app-silent': entry(
    'unreachable',
    'The WireGuard app did not bring the tunnel up.',
    'Its profile was removed, and kiwistack-enroll keeps the tunnel again. Open the app once, and try again.',
  ),
} as const;
