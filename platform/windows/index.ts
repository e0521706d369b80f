import path from 'node:path';

import type { Platform } from '../../src/laptop/system/platform.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { noClaimScreens } from '../unsupported/no-claim-screens.ts';
import { noDisk } from '../unsupported/no-disk.ts';
import { noSignIn } from '../unsupported/no-sign-in.ts';
import { noTunnelApp } from '../unsupported/no-tunnel-app.ts';
import { noUpdater } from '../unsupported/no-updater.ts';
import { WindowsCaretaker } from './caretaker.ts';
import { WindowsCertificateStore } from './certificate-store.ts';
import { WindowsDesktop } from './desktop.ts';
import { WindowsFleetAgent } from './fleet-agent.ts';
import { WindowsHardwareReader } from './hardware-reader.ts';
import { WindowsInspector } from './inspector.ts';
import { PATHS, SERVICES } from './paths.ts';
import { WindowsPreflight } from './preflight.ts';
import { WindowsReports } from './service-reports.ts';
import { at, windowsSystem, type WindowsSystem } from './system.ts';
import { noTpm } from './tpm.ts';
import { WindowsTrustStore } from './trust-store.ts';
import { profilePath } from './tunnel/profile.ts';
import { WindowsTunnel } from './tunnel/windows-tunnel.ts';

/** Windows 11. */
export function windowsPlatform(system: WindowsSystem = windowsSystem()): Platform {
  const certificates = new WindowsCertificateStore(system);
  const fleet = at(system, PATHS.fleet);
  return {
    preflight: new WindowsPreflight(system),
    hardware: new WindowsHardwareReader(system),
    certificates,
    tpm: noTpm(),
    // A program of Windows finds the certificate in LocalMachine\My, and a new one too.
    consumers: [],
    trust: new WindowsTrustStore(system),
    tunnel: new WindowsTunnel(system),
    tunnelApp: noTunnelApp('Windows'),
    agent: new WindowsFleetAgent(system),
    signIn: noSignIn('windows'),
    reports: new WindowsReports(system),
    desktop: new WindowsDesktop(system),
    claimScreens: noClaimScreens,
    inspector: new WindowsInspector(system),
    caretaker: new WindowsCaretaker(system),
    disk: noDisk('Windows'),
    updater: noUpdater('windows'),
    stateFolder: at(system, PATHS.state),
    pinnedRootsFile: path.join(system.program, 'msp-roots.pem'),
    files: (slug) =>
      Promise.resolve([
        ...placesOf(certificates.paths(slug)),
        profilePath(system, tunnelInterfaceName(slug)),
        ...['settings.json', 'secret.txt', 'fleet.pem'].map((name) => path.join(fleet, name)),
      ]),
    isSecret: (file) => /\.(?:key|conf)$/u.test(file) || path.basename(file) === 'secret.txt',
    writtenFolders: [at(system, 'ProgramData'), at(system, 'Program Files')],
    // One service does what four units do on Linux. No service runs the check alone.
    units: {
      checkTimer: SERVICES.agent,
      checkService: 'kiwistack-check',
      watcher: SERVICES.agent,
      agentSocket: SERVICES.agent,
      agent: SERVICES.fleet,
    },
  };
}

function placesOf({ certificate, key, roots }: ReturnType<WindowsCertificateStore['paths']>): string[] {
  return [certificate, key, roots];
}
