import type { CertificateConsumer } from './certificate-consumer.ts';
import type { ClaimScreens } from './claim-screens.ts';
import type { Caretaker } from './caretaker.ts';
import type { CertificateStore } from './certificate-store.ts';
import type { Desktop } from './desktop.ts';
import type { Disk } from './disk.ts';
import type { FleetAgent } from './fleet-agent.ts';
import type { HardwareReader } from './hardware-reader.ts';
import type { Inspector } from './inspector.ts';
import type { Preflight } from './preflight.ts';
import type { SignIn } from './sign-in.ts';
import type { ServiceReports } from './service-reports.ts';
import type { Tpm } from './tpm.ts';
import type { TrustStore } from './trust-store.ts';
import type { Tunnel } from './tunnel.ts';
import type { TunnelApp } from './tunnel-app.ts';
import type { Updater } from './updater.ts';

/**
 * Everything of the operating system that an enrollment touches, one interface each; `platform/` has one bundle per operating
 * system.
 */
export interface Platform {
  readonly preflight: Preflight;
  readonly hardware: HardwareReader;
  readonly certificates: CertificateStore;
  readonly tpm: Tpm;
  readonly consumers: readonly CertificateConsumer[];
  readonly trust: TrustStore;
  readonly tunnel: Tunnel;
  readonly tunnelApp: TunnelApp;
  readonly agent: FleetAgent;
  readonly signIn: SignIn;
  readonly inspector: Inspector;
  readonly caretaker: Caretaker;
  readonly disk: Disk;
  readonly updater: Updater;
  readonly reports: ServiceReports;
  readonly desktop: Desktop;
  readonly claimScreens: ClaimScreens;
  /** Folder of the enrollment's own state; created by the first write to it, with mode 0700. */
  readonly stateFolder: string;
  /** PEM: the provider's roots that this laptop trusts; installed by the package. */
  readonly pinnedRootsFile: string;
  /** The files of ours, as `found` names them, that a complete enrollment with this customer has. */
  files(slug: string): Promise<readonly string[]>;
  /** True for a file of ours that nobody but root may read. */
  isSecret(file: string): boolean;
  /** Folders that the enrollment and its renewal write to; each may be a file system of its own. */
  readonly writtenFolders: readonly string[];
  readonly units: {
    /** Runs the hourly check, and the check itself. */
    readonly checkTimer: string;
    readonly checkService: string;
    /** Starts the watcher of the tunnel while this laptop is enrolled. */
    readonly watcher: string;
    readonly agentSocket: string;
    /** The Fleet agent's. */
    readonly agent: string;
  };
}
