import { KiwiError } from '../../core/errors.ts';
import type { Platform } from '../system/platform.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

type Units = Platform['units'];

/** A unit of the package that has to be active and enabled. @param fix the repair that starts it */
function unitActive(about: Omit<Check, 'dependsOn' | 'run'>, unitOf: (units: Units) => string, fix: string): Check {
  return {
    ...about,
    dependsOn: [],
    async run({ context: { platform } }) {
      const name = unitOf(platform.units);
      const [unit] = await platform.inspector.units([name]);
      if (unit?.known !== true) return notKnown(`there is no ${name}: the package is not installed`);
      const saw = `${name} is ${unit.active} and ${unit.enabled}`;
      if (unit.active === 'active' && unit.enabled === 'enabled') return well(saw);
      return notWell(new KiwiError('unit-not-running', { detail: saw }), fix);
    },
  };
}

export const timerActive = unitActive(
  {
    code: 'check-timer',
    severity: 'failure',
    what: 'The timer that checks this laptop and renews its certificate every hour is active.',
    matters: 'The certificate is not renewed, and expires.',
  },
  ({ checkTimer }) => checkTimer,
  'start-timer',
);

export const watcherActive = unitActive(
  {
    code: 'watcher',
    severity: 'warning',
    what: 'What starts the watcher of the tunnel while this laptop is enrolled is active.',
    matters: 'A tunnel that goes silent is mended within the hour, and not within seconds.',
  },
  ({ watcher }) => watcher,
  'start-watcher',
);

export const agentSocketActive = unitActive(
  {
    code: 'agent-socket',
    severity: 'warning',
    what: 'The socket is active through which people who are not root use this program.',
    matters: 'Every command needs sudo.',
  },
  ({ agentSocket }) => agentSocket,
  'start-agent-socket',
);

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
