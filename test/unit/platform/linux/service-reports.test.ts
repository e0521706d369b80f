import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SystemdReports } from '../../../../platform/linux/service-reports.ts';
import { FakeLinux } from './fake-linux.ts';

let machine: FakeLinux;
let reports: SystemdReports;
beforeEach(async () => {
  machine = await FakeLinux.make();
  reports = new SystemdReports(machine);
});
afterEach(() => machine.destroy());

describe('what systemd and NetworkManager report', () => {
  it('is of every unit of ours, of what keeps the tunnel, and of the Fleet agent', async () => {
    await machine.install('/usr/bin/systemctl', () => 'ActiveState=active\nSubState=running\n');
    const units = await reports.units('acme');
    expect(Object.keys(units).sort()).toEqual([
      ...['NetworkManager.service', 'kiwistack-agent.service', 'kiwistack-agent.socket'],
      ...['kiwistack-enroll-check.service', 'kiwistack-enroll-check.timer'],
      ...['clock', 'network', 'silent', 'stale', 'wake'].map((reason) => `kiwistack-mend@${reason}.service`),
      ...['kiwistack-watch.path', 'kiwistack-watch.service', 'orbit.service', 'wg-quick@kiwi-acme.service'],
    ]);
    expect(units['kiwistack-watch.service']).toEqual({ ActiveState: 'active', SubState: 'running' });
  });

  it.each([
    ['connection.autoconnect:yes\nGENERAL.STATE:activated\n', { ActiveState: 'activated', Autoconnect: 'yes' }],
    ['connection.autoconnect:no\n', { ActiveState: 'inactive', Autoconnect: 'no' }],
    [{ code: 10 }, undefined],
  ])('has the connection of the tunnel, if there is one: %j', async (said, connection) => {
    await machine.install('/usr/bin/systemctl');
    await machine.install('/usr/bin/nmcli', () => said);
    expect((await reports.units('acme'))['connection kiwi-acme']).toEqual(connection);
    expect(Object.keys(await reports.units(undefined)).filter((name) => /acme|connection/u.test(name))).toEqual([]);
  });

  it('is the log of all that logs, asked for at once', async () => {
    await machine.install('/usr/bin/journalctl', () => 'a line\n');
    expect(await reports.log(1_000)).toBe('a line\n');
    expect(machine.ran).toHaveLength(1);
    for (const unit of ['kiwistack-enroll-check', 'kiwistack-watch', 'kiwistack-agent', 'kiwistack-mend@wake']) {
      expect(machine.ran[0]).toContain(`--unit ${unit}.service `);
    }
  });
});
