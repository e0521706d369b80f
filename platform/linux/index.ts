import type { Platform } from '../../src/laptop/system/platform.ts';
import { sssd, wifi } from './certificate-consumers.ts';
import { LinuxCaretaker } from './caretaker.ts';
import { StepCertificateStore } from './certificate-store.ts';
import { LogindDesktop } from './desktop.ts';
import { LuksDisk } from './disk/luks-disk.ts';
import { AGENT_SETTINGS, DebianFleetAgent } from './fleet-agent.ts';
import { LinuxHardwareReader } from './hardware-reader.ts';
import { LinuxInspector } from './inspector.ts';
import { PATHS } from './paths.ts';
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
  return {
    preflight: new LinuxPreflight(system),
    hardware: new LinuxHardwareReader(system),
    certificates,
    tpm,
    consumers: [sssd(system), wifi(system)],
    trust: new LinuxTrustStore(system),
    tunnel,
    agent: new DebianFleetAgent(system),
    reports: new SystemdReports(system),
    desktop: new LogindDesktop(system),
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
    ],
    isSecret: (file) => /\.(?:key|env|nmconnection)$/u.test(file) || file.startsWith(`${PATHS.wireguard}/`),
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
