import type { Platform } from '../../src/laptop/system/platform.ts';
import { noTunnelApp } from '../unsupported/no-tunnel-app.ts';
import { sssd, wifi } from './certificate-consumers.ts';
import { LinuxCaretaker } from './caretaker.ts';
import { LinuxClaimScreens } from './claim-screens.ts';
import { StepCertificateStore } from './certificate-store.ts';
import { LogindDesktop } from './desktop.ts';
import { LuksDisk } from './disk/luks-disk.ts';
import { AGENT_SETTINGS, DebianFleetAgent } from './fleet-agent.ts';
import { LinuxHardwareReader } from './hardware-reader.ts';
import { LinuxInspector } from './inspector.ts';
import { PATHS } from './paths.ts';
import { SssdSignIn } from './sign-in.ts';
import { LinuxPreflight } from './preflight.ts';
import { SystemdReports } from './service-reports.ts';
import { linuxSystem } from './system.ts';
import { LinuxTpm } from './tpm/tpm.ts';
import { LinuxTrustStore } from './trust-store.ts';
import { LinuxTunnel } from './tunnel/linux-tunnel.ts';
import { DebianUpdater } from './updater.ts';

/** Linux with systemd. */
export function linuxPlatform(): Platform {
  const system = linuxSystem;
  const tpm = new LinuxTpm(system);
  const certificates = new StepCertificateStore(system, tpm);
  const tunnel = new LinuxTunnel(system);
  const signIn = new SssdSignIn(system);
  return {
    preflight: new LinuxPreflight(system),
    hardware: new LinuxHardwareReader(system),
    certificates,
    tpm,
    consumers: [sssd(system), wifi(system)],
    trust: new LinuxTrustStore(system),
    tunnel,
    tunnelApp: noTunnelApp('Linux'),
    agent: new DebianFleetAgent(system),
    signIn,
    reports: new SystemdReports(system),
    desktop: new LogindDesktop(system),
    claimScreens: new LinuxClaimScreens(system),
    inspector: new LinuxInspector(system),
    caretaker: new LinuxCaretaker(system),
    disk: new LuksDisk(system),
    updater: new DebianUpdater(system),
    stateFolder: PATHS.state,
    pinnedRootsFile: PATHS.pinnedRoots,
    files: async (slug) => [
      ...Object.values(certificates.paths(slug)),
      await tunnel.profileFile(slug),
      ...AGENT_SETTINGS,
      // Not part of every enrollment: what is there has to be as it was written.
      ...(await signIn.found()).map(({ what }) => what),
    ],
    isSecret: (file) =>
      /\.(?:key|env|nmconnection|keytab)$|\/sssd\.conf$/u.test(file) || file.startsWith(`${PATHS.wireguard}/`),
    writtenFolders: ['/', '/etc', '/var', '/opt', '/usr/local'],
    units: {
      checkTimer: 'kiwistack-enroll-check.timer',
      watcher: 'kiwistack-watch.path',
      agentSocket: 'kiwistack-agent.socket',
      checkService: 'kiwistack-enroll-check.service',
      agent: 'orbit.service',
    },
  };
}
