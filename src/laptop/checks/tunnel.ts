import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const tunnelUp: Check = {
  code: 'tunnel-up',
  severity: 'failure',
  dependsOn: [],
  async run({ context, record, tunnel }) {
    if ((await tunnel()).up) return undefined;
    const unit = context.platform.tunnelUnit(record.slug);
    return new KiwiError('enrollment-unhealthy', {
      detail: 'the tunnel is down',
      ...(unit === undefined ? {} : { hint: `Start it with \`sudo systemctl restart ${unit}\`.` }),
    });
  },
};

export const tunnelAtBoot: Check = {
  code: 'tunnel-at-boot',
  severity: 'failure',
  dependsOn: [],
  async run({ context, record, tunnel }) {
    if ((await tunnel()).startsAtBoot) return undefined;
    const unit = context.platform.tunnelUnit(record.slug);
    return new KiwiError('enrollment-unhealthy', {
      detail: 'the tunnel does not start at boot',
      ...(unit === undefined ? {} : { hint: `Enable it with \`sudo systemctl enable ${unit}\`.` }),
    });
  },
};

export const tunnelReachesInside: Check = {
  code: 'tunnel-inside',
  severity: 'failure',
  dependsOn: ['tunnel-up'],
  async run({ record, inside }) {
    if (await inside()) return undefined;
    return new KiwiError('tunnel-no-handshake', {
      detail: `${record.device?.probe ?? 'the slice'} in the tunnel does not answer`,
    });
  },
};
