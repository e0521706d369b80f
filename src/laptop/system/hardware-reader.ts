/**
 * What the firmware and the kernel report about a machine, as read: with placeholders, in any letter case, with stray spaces.
 */
export interface HardwareFacts {
  readonly uuid?: string | undefined;
  readonly systemSerial?: string | undefined;
  readonly boardSerial?: string | undefined;
  readonly chassisSerial?: string | undefined;
  /** Hex SHA-256 of the TPM's endorsement key. */
  readonly tpmEk?: string | undefined;
  /** Serials of built-in disks. */
  readonly disks: readonly string[];
  /** Permanent addresses of built-in network adapters. */
  readonly macs: readonly string[];
  readonly cpu?: string | undefined;
}

export interface SystemFacts {
  readonly hostName: string;
  readonly os: 'linux' | 'macos' | 'windows';
  /** With the distribution's name: "Debian GNU/Linux 12". */
  readonly osVersion: string;
  /** As Node names it. */
  readonly arch: string;
  readonly model?: string | undefined;
}

/**
 * Reads the machine. Obligations of an implementation: it changes nothing; it takes less than 300 ms; what cannot be read is
 * absent, never invented; disks and adapters that can be unplugged are left out; and the value of an identity component does
 * not depend on which tools happen to be installed.
 */
export interface HardwareReader {
  readHardware(): Promise<HardwareFacts>;
  readSystem(): Promise<SystemFacts>;
}
