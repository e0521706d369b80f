import { KiwiError } from '../../core/errors.ts';
import { classifyAgentLog } from '../fleet-agent/classify-agent-log.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

/** More restarts than this since the last start by hand are no hiccup. */
const MANY_RESTARTS = 5;
const LOG_MS = 15 * 60_000;

export const agentRunning: Check = {
  code: 'agent-running',
  severity: 'failure',
  what: 'The Fleet agent is installed and running.',
  matters: 'The organisation cannot manage this laptop.',
  dependsOn: [],
  // Without an enrollment there is no agent of ours.
  async run({ record: _, agent }) {
    const { running, version } = await agent();
    if (running) return well(`version ${version ?? 'unknown'}`);
    if (version === undefined) return notWell(new KiwiError('agent-not-running', { detail: 'it is not installed' }));
    return notWell(new KiwiError('agent-not-running'), 'restart-agent');
  },
};

export const agentOurs: Check = {
  code: 'agent-settings',
  severity: 'failure',
  what: 'The settings of the Fleet agent are those of the enrollment.',
  matters: 'The agent belongs to somebody else, or to nobody after its next restart.',
  dependsOn: [],
  async run({ record: _, agent }) {
    if ((await agent()).configuredByUs) return well('ours');
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return notWell(new KiwiError('enrollment-incomplete', { detail: 'they are missing or replaced', hint }));
  },
};

export const agentAtBoot: Check = {
  code: 'agent-at-boot',
  severity: 'failure',
  what: 'The Fleet agent starts at boot.',
  matters: 'After a restart the organisation cannot manage this laptop.',
  dependsOn: ['agent-running'],
  async run({ context: { platform } }) {
    const [unit] = await platform.inspector.units([platform.units.agent]);
    if (unit?.enabled === 'enabled') return well(`${platform.units.agent} is enabled`);
    const detail = `${platform.units.agent} is ${unit?.enabled ?? 'unknown'}`;
    return notWell(new KiwiError('agent-not-running', { detail }), 'enable-agent');
  },
};

export const agentSteady: Check = {
  code: 'agent-steady',
  severity: 'warning',
  what: 'The Fleet agent does not restart again and again.',
  matters: 'It does nothing for long, and fills the log.',
  dependsOn: ['agent-running'],
  async run({ context: { platform } }) {
    const [unit] = await platform.inspector.units([platform.units.agent]);
    const restarts = unit?.restarts ?? 0;
    if (restarts < MANY_RESTARTS) return well(`${restarts} restarts`);
    return notWell(new KiwiError('agent-not-running', { detail: `it was restarted ${restarts} times` }));
  },
};

export const agentEnrolled: Check = {
  code: 'agent-enrolled',
  severity: 'failure',
  what: 'Orbit, the first part of the Fleet agent, has its node key.',
  matters: 'The organisation cannot manage this laptop.',
  dependsOn: ['agent-running'],
  async run({ agent }) {
    if ((await agent()).orbitEnrolled) return well('it has one');
    return notWell(new KiwiError('fleet-refused', { detail: 'the agent has no node key' }), 'restart-agent');
  },
};

/** A secret on disk lets whoever reads it enroll any number of hosts: Fleet's secrets never expire. */
export const secretForgotten: Check = {
  code: 'agent-secret',
  severity: 'warning',
  what: "Fleet's enroll secret is no longer on the disk.",
  matters: 'Whoever reads it can enroll other machines in Fleet.',
  dependsOn: ['agent-enrolled'],
  async run({ context: { platform } }) {
    const forgotten = await platform.agent.secretForgotten();
    if (forgotten === undefined) return notKnown('the settings cannot be read');
    if (forgotten) return well('it was replaced after the enrollment');
    return notWell(
      new KiwiError('leftovers-found', { detail: 'the secret is still in the settings' }),
      'forget-secret',
    );
  },
};

/** The second plane shows only in Fleet: orbit may be enrolled while osquery never is. */
export const osqueryEnrolled: Check = {
  code: 'fleet-osquery',
  severity: 'failure',
  what: 'Fleet knows osquery, the second part of the agent, on this laptop.',
  matters: 'The organisation sees nothing of this laptop.',
  dependsOn: ['slice-active'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return notKnown(answer.message);
    if (answer.fleet === null || !answer.fleet.reachable) return notKnown('Fleet did not answer the slice');
    const { known, osqueryVersion, orbitVersion } = answer.fleet;
    const versions = `orbit ${orbitVersion ?? 'unknown'}, osquery ${osqueryVersion ?? 'unknown'}`;
    if (known && osqueryVersion !== null && osqueryVersion !== '') return well(versions);
    return notWell(
      new KiwiError('fleet-half-enrolled', { detail: known ? versions : 'Fleet does not know this laptop' }),
    );
  },
};

export const fleetOnline: Check = {
  code: 'fleet-online',
  severity: 'failure',
  what: 'The slice sees this laptop online in Fleet.',
  matters: 'The organisation cannot manage this laptop.',
  // Through a dead tunnel nobody is online, and starting the agent again would not help.
  dependsOn: ['tunnel-inside', 'slice-active'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return notKnown(answer.message);
    if (answer.fleet?.green === true) return well('online, in both parts');
    const unanswered = answer.fleet === null ? { detail: 'Fleet did not answer the slice' } : {};
    return notWell(new KiwiError('fleet-not-green', unanswered), 'restart-agent');
  },
};

/** Read only while something is wrong: a first attempt before the tunnel was up stays in the log. */
export const agentLog: Check = {
  code: 'agent-log',
  severity: 'warning',
  what: "The agent's log names no reason why Fleet would refuse it.",
  matters: 'It explains why this laptop is not online in Fleet.',
  dependsOn: ['agent-running'],
  async run({ context, agent, slice }) {
    const answer = await slice();
    if (!(answer instanceof KiwiError) && answer.fleet?.green === true) return well('Fleet sees this laptop online');
    const log = await context.platform.agent.log(context.clock.now() - LOG_MS);
    const said = classifyAgentLog(log, await agent());
    return said.code === 'fleet-not-green' ? well('it names none') : notWell(said);
  },
};
