import type { Platform } from '../../src/enrollment/platform.ts';
import { tunnelInterfaceName } from '../../src/tunnel/interface-name.ts';
import { DebianAgentPackage } from './agent-package.ts';
import { StepCertificateStore } from './certificate-store.ts';
import { LinuxHardwareReader } from './hardware-reader.ts';
import { PATHS } from './paths.ts';
import { LinuxPreflight } from './preflight.ts';
import { linuxSystem, type LinuxSystem } from './system.ts';
import { LinuxTrustStore } from './trust-store.ts';
import { WgQuickTunnel } from './tunnel.ts';

/** Linux with systemd. */
export function linuxPlatform(system: LinuxSystem = linuxSystem): Platform {
  return {
    preflight: new LinuxPreflight(system),
    hardware: new LinuxHardwareReader(system),
    certificates: new StepCertificateStore(system),
    trust: new LinuxTrustStore(system),
    tunnel: new WgQuickTunnel(system),
    agent: new DebianAgentPackage(system),
    stateFolder: PATHS.state,
    pinnedRootsFile: PATHS.pinnedRoots,
    tunnelUnit: (slug) => `wg-quick@${tunnelInterfaceName(slug)}.service`,
  };
}
