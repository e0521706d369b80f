import { KiwiError } from '../../core/errors.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

export const timerActive: Check = {
  code: 'check-timer',
  severity: 'failure',
  what: 'The timer that checks this laptop and renews its certificate every hour is active.',
  matters: 'The certificate is not renewed, and expires.',
  dependsOn: [],
  async run({ context: { platform } }) {
    const { checkTimer } = platform.units;
    const [unit] = await platform.inspector.units([checkTimer]);
    if (unit?.known !== true) return notKnown(`there is no ${checkTimer}: the package is not installed`);
    const saw = `${checkTimer} is ${unit.active} and ${unit.enabled}`;
    if (unit.active === 'active' && unit.enabled === 'enabled') return well(saw);
    return notWell(new KiwiError('unit-not-running', { detail: saw }), 'start-units');
  },
};

export const checkSucceeded: Check = {
  code: 'check-service',
  severity: 'warning',
  what: 'The last hourly check did not fail.',
  matters: 'The certificate may not have been renewed.',
  dependsOn: [],
  async run({ context: { platform } }) {
    const { checkService } = platform.units;
    const [unit] = await platform.inspector.units([checkService]);
    if (unit?.known !== true) return notKnown(`there is no ${checkService}: the package is not installed`);
    if (unit.result === 'success' || unit.result === '') return well('it ended well, or did not run yet');
    const hint = `\`journalctl -u ${checkService}\` shows what it said; \`kiwistack-enroll check\` runs it now.`;
    return notWell(new KiwiError('renewal-stalled', { detail: `${checkService}: ${unit.result}`, hint }));
  },
};
