import { RUNTIME_FOLDER } from '../unix/system.ts';

/** Every file and folder of ours on Linux, and those of others that we write to. Absolute, as the system sees them. */
export const PATHS = {
  /** State of the enrollment: the record, the journal, pending deregistrations, the lock. */
  state: '/var/lib/kiwistack',
  /** The provider's roots, from the package. */
  pinnedRoots: '/etc/kiwistack/msp-roots.pem',
  /** The keys of the provider's releases, from the package. */
  releaseKeys: '/etc/kiwistack/release-keys.pem',
  /** Temporary files with secrets: a tmpfs, gone after a restart. */
  runtime: RUNTIME_FOLDER,
  /** What a claim says on the text consoles and in the window; the folder is also that of the agent's socket. */
  claimIssue: '/run/kiwistack-enroll/claim.issue',
  claimStand: '/run/kiwistack-enroll/claim.json',
  /** smallstep's layout, which its other tools read. */
  certificates: '/etc/step/certs',
  wireguard: '/etc/wireguard',
  networkManager: '/etc/NetworkManager/system-connections',
  systemdUnits: '/etc/systemd/system',
  fleet: '/etc/fleet',
  orbit: '/opt/orbit',
  /** What the maker of an image says of the encrypted disk, and its key, which is removed when the disk is secured. */
  factoryDisk: '/etc/kiwistack/factory-disk.json',
  factoryKey: '/etc/kiwistack/factory.key',
  crypttab: '/etc/crypttab',
} as const;
