/** Every folder and file of ours on Windows, and those of others that we write to; see `at`. */
export const PATHS = {
  /** Everything of ours that is not the program, for the system and administrators alone. */
  data: 'ProgramData/KiwiStack',
  /** State of the enrollment: the record, the journal, pending deregistrations, the lock. The service looks for the record there too. */
  state: 'ProgramData/KiwiStack/State',
  certificates: 'ProgramData/KiwiStack/Certificates',
  /** Profiles of tunnels, which WireGuard's service of each reads. */
  tunnel: 'ProgramData/KiwiStack/Tunnel',
  fleet: 'ProgramData/KiwiStack/Fleet',
  /** What the service says; it writes there itself. */
  log: 'ProgramData/KiwiStack/Log',
  /** Files that a program is handed, and that are removed afterwards. */
  run: 'ProgramData/KiwiStack/Run',
  orbit: 'Program Files/Orbit',
  orbitLog: 'Windows/System32/config/systemprofile/AppData/Local/FleetDM/Orbit/Logs/orbit-osquery.log',
} as const;

/** Services, as the service manager names them. */
export const SERVICES = { agent: 'kiwistack-agent', fleet: 'Fleet osquery' } as const;

/** Upgrade codes of packages (Windows Installer, "UpgradeCode"): they stay the same from version to version. */
export const UPGRADE_CODES = {
  'kiwistack-enroll': '{7C5E2C4B-8A0E-4F0B-9B53-52B6D1C0E7A4}',
  fleetd: '{B681CB20-107E-428A-9B14-2D3C1AFED244}',
} as const;
