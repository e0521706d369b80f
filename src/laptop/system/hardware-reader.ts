/** What the firmware and the kernel say about a machine, as read: with placeholders, in any case, with spaces. */
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
  /** As Node says it. */
  readonly arch: string;
  readonly model?: string | undefined;
}

/**
 * Reads the machine. Obligations of an implementation: it changes nothing; it needs under 300 ms; what cannot be read is
 * absent, never made up; disks and adapters that can be unplugged are left out, and what an identity component says does
 * not depend on which tools happen to be installed.
 */
export interface HardwareReader {
  readHardware(): Promise<HardwareFacts>;
  readSystem(): Promise<SystemFacts>;
}
