import type { Platform } from '../../src/laptop/system/platform.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { noClaimScreens } from '../unsupported/no-claim-screens.ts';
import { noDisk } from '../unsupported/no-disk.ts';
import { noSignIn } from '../unsupported/no-sign-in.ts';
import { noUpdater } from '../unsupported/no-updater.ts';
import { MacCaretaker } from './caretaker.ts';
import { MacCertificateStore } from './certificate-store.ts';
import { MacDesktop } from './desktop.ts';
import { AGENT_SETTINGS, MacFleetAgent } from './fleet-agent.ts';
import { MacHardwareReader } from './hardware-reader.ts';
import { MacInspector } from './inspector.ts';
import { tunnelLabels } from './jobs.ts';
import { daemonFile, JOBS, PATHS } from './paths.ts';
import { MacPreflight } from './preflight.ts';
import { MacReports } from './service-reports.ts';
import { macSystem, type MacSystem } from './system.ts';
import { noTpm } from './tpm.ts';
import { MacTrustStore } from './trust-store.ts';
import { seemsKeptByApp } from './tunnel/app-profile.ts';
import { MacTunnel } from './tunnel/mac-tunnel.ts';
import { profilePath } from './tunnel/profile.ts';
import { WireguardApp } from './tunnel/wireguard-app.ts';

/** macOS 14 and later. */
export function macPlatform(system: MacSystem = macSystem): Platform {
  const certificates = new MacCertificateStore(system);
  return {
    preflight: new MacPreflight(system),
    hardware: new MacHardwareReader(system),
    certificates,
    tpm: noTpm(),
    updater: noUpdater('macos'),
    // A program of macOS finds the identity in the System keychain, and a new one too.
    consumers: [],
    trust: new MacTrustStore(system),
    tunnel: new MacTunnel(system),
    tunnelApp: new WireguardApp(system),
    agent: new MacFleetAgent(system),
    signIn: noSignIn('macos'),
    reports: new MacReports(system),
    desktop: new MacDesktop(system),
    claimScreens: noClaimScreens,
    inspector: new MacInspector(system),
    caretaker: new MacCaretaker(system),
    disk: noDisk('macOS'),
    stateFolder: PATHS.state,
    pinnedRootsFile: PATHS.pinnedRoots,
    files: async (slug) => {
      const { certificate, key, roots } = certificates.paths(slug);
      const tunnel = tunnelInterfaceName(slug);
      // While the app keeps the tunnel there is no daemon, and the profile stays for the way back.
      const byApp = await seemsKeptByApp(system, tunnel);
      const daemons = byApp ? [] : Object.values(tunnelLabels(tunnel)).map(daemonFile);
      return [certificate, key, roots, profilePath(tunnel), ...daemons, ...AGENT_SETTINGS];
    },
    isSecret: (file) => /\.(?:key|conf)$/u.test(file) || file === AGENT_SETTINGS[0],
    writtenFolders: ['/Library', '/etc', '/opt', '/var'],
    units: {
      checkTimer: JOBS.check,
      checkService: JOBS.check,
      watcher: JOBS.mend,
      agentSocket: JOBS.agent,
      agent: JOBS.fleet,
    },
  };
}
