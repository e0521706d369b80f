import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  renderAgentDropIn,
  renderAgentEnvironment,
  withoutSecret,
} from '../../../../src/laptop/fleet-agent/render-agent-settings.ts';

const settings = {
  url: 'https://fleet.acme.internal:8412',
  serverCa: 'PEM',
  enrollSecret: 'tqhM9dKZkX3wGqv2Hl0=',
  enableScripts: true,
  disableUpdates: true,
  startAfter: 'wg-quick@kiwi-acme.service',
};

const NOTE = '# Written by kiwistack-enroll; `kiwistack-enroll uninstall` removes it.\n';

describe('the settings of the agent', () => {
  it('are an environment file of systemd', () => {
    expect(renderAgentEnvironment(settings, '/etc/fleet/fleet.pem')).toBe(
      `${NOTE}ORBIT_FLEET_URL=https://fleet.acme.internal:8412
ORBIT_ENROLL_SECRET=tqhM9dKZkX3wGqv2Hl0=
ORBIT_FLEET_CERTIFICATE=/etc/fleet/fleet.pem
ORBIT_ENABLE_SCRIPTS=true
ORBIT_DISABLE_UPDATES=true
`,
    );
  });

  it('are found by a drop-in that starts the agent after the tunnel', () => {
    expect(renderAgentDropIn('/etc/fleet/enroll.env', 'wg-quick@kiwi-acme.service')).toBe(
      `${NOTE}[Unit]
Wants=wg-quick@kiwi-acme.service
After=wg-quick@kiwi-acme.service

[Service]
EnvironmentFile=/etc/fleet/enroll.env
`,
    );
    expect(renderAgentDropIn('/etc/fleet/enroll.env', undefined)).toBe(
      `${NOTE}[Service]\nEnvironmentFile=/etc/fleet/enroll.env\n`,
    );
  });

  it('quote a secret with special characters as systemd.exec(5) reads it', () => {
    const text = renderAgentEnvironment({ ...settings, enrollSecret: 'a "b" $c \\d `e`' }, '/etc/fleet/fleet.pem');
    expect(text).toContain('ORBIT_ENROLL_SECRET="a \\"b\\" \\$c \\\\d \\`e\\`"\n');
  });

  it('take no line break: it would be another setting', () => {
    const enrollSecret = 'x\nORBIT_INSECURE=true';
    expect(() => renderAgentEnvironment({ ...settings, enrollSecret }, '/x')).toThrow(TypeError);
  });

  it('lose the secret, and only that, when it is replaced', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]{1,60}$/), (enrollSecret) => {
        const secret = `S3CR3T${enrollSecret}`;
        const scrubbed = withoutSecret(renderAgentEnvironment({ ...settings, enrollSecret: secret }, '/x'));
        const dummy = renderAgentEnvironment({ ...settings, enrollSecret: 'removed-after-enrollment' }, '/x');
        expect(scrubbed).toBe(dummy);
      }),
    );
  });
});
