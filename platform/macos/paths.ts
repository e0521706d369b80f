const DATA = '/Library/Application Support/KiwiStack';
const PROGRAM = '/Library/KiwiStack';

/** Every file and folder of ours on macOS, and those of others that we write to. Absolute, as the system sees them. */
export const PATHS = {
  /** What the package brings: the programs, Node, `wg` and `wireguard-go`. Only root can write there. */
  program: PROGRAM,
  programs: `${PROGRAM}/bin`,
  pinnedRoots: `${PROGRAM}/msp-roots.pem`,
  /** `SHA-256  NAME`, a line for each file of the package. */
  manifest: `${PROGRAM}/files.sha256`,
  /** In a folder of the package, because launchd makes the socket but not its folder, and /var/run is empty after a restart. */
  agentSocket: `${PROGRAM}/run/agent.socket`,
  /** Everything of ours that is not the program, for root alone. */
  data: DATA,
  /** State of the enrollment: the record, the journal, pending deregistrations, the lock. */
  state: `${DATA}/State`,
  certificates: `${DATA}/Certificates`,
  tunnel: `${DATA}/Tunnel`,
  /** The roots that we added to the store, so that they are known as ours. */
  roots: `${DATA}/Roots`,
  fleet: `${DATA}/Fleet`,
  /** Files that a program is handed, and that are removed afterwards. */
  run: `${DATA}/Run`,
  log: '/Library/Logs/KiwiStack',
  daemons: '/Library/LaunchDaemons',
  resolver: '/etc/resolver',
  keychain: '/Library/Keychains/System.keychain',
  /** Where wireguard-go makes the socket of each interface. */
  sockets: '/var/run/wireguard',
  orbit: '/opt/orbit',
  orbitLog: '/var/log/orbit/orbit.stderr.log',
} as const;

/** Labels of jobs, as launchd knows them. */
export const JOBS = {
  agent: 'io.kiwistack.enroll.agent',
  check: 'io.kiwistack.enroll.check',
  mend: 'io.kiwistack.enroll.mend',
  /** Of the Fleet agent's package. */
  fleet: 'com.fleetdm.orbit',
} as const;

/** Receipts of packages. */
export const RECEIPTS = { ours: 'io.kiwistack.enroll', fleet: 'com.fleetdm.orbit.base.pkg' } as const;

export const daemonFile = (label: string): string => `${PATHS.daemons}/${label}.plist`;
