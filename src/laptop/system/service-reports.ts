/**
 * What the operating system reports of our own services, for a support bundle. Obligations of an implementation: it changes nothing; only
 * our own units and logs are read, and the state of what keeps the tunnel; what cannot be read is absent. What it returns is not fit to leave the laptop as it is.
 */
export interface ServiceReports {
  /** By unit, or connection of NetworkManager, the properties that systemd shows, as text. */
  units(slug: string | undefined): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>>;
  /** What our own services have logged since a moment, newest last, a line each with its time. */
  log(sinceMs: number): Promise<string>;
  /** Version of the operating system's kernel. */
  kernel(): string;
}
