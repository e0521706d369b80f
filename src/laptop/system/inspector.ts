export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'other';
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** The file system on which a folder is. */
export interface DiskFacts {
  readonly writable: boolean;
  readonly freeBytes: number;
  /** Undefined where a file system has no fixed number of them. */
  readonly freeInodes: number | undefined;
  /** The same for folders that are on one file system, where that can be told. */
  readonly fileSystem?: string;
}

export interface UnitFacts {
  /** False when there is no such unit. */
  readonly known: boolean;
  /** As systemd says it: `active`, `inactive`, `failed` …; `enabled`, `disabled`, `static` … */
  readonly active: string;
  readonly enabled: string;
  /** How its last run ended: `success`, `exit-code` … */
  readonly result: string;
  readonly restarts: number;
}

/** What the system's resolver knows of one network interface. */
export interface LinkResolver {
  readonly interface: string;
  readonly servers: readonly string[];
  /** `~name` is only routed there, `name` is a search domain as well; `~.` is every name. */
  readonly domains: readonly string[];
  /** Names that belong to no interface are asked here as well. */
  readonly takesOthers: boolean;
}

/** A WireGuard interface as the kernel has it, without its secrets. */
export interface PeerFacts {
  readonly publicKey: string;
  /** Number of peers; the facts below are the first one's. */
  readonly peers: number;
  readonly allowedNetworks: readonly string[];
  readonly keepaliveSeconds: number | undefined;
}

/** A store of trusted roots that a browser keeps for one person, beside the system's. */
export interface BrowserStore {
  readonly browser: 'Firefox' | 'Chromium';
  readonly packaging: 'system' | 'snap' | 'flatpak';
  readonly file: string;
  /** Whether the roots are in it; undefined where it could not be read. */
  readonly trusts: boolean | undefined;
}

/**
 * Looks at parts of the operating system that only the checks need. Obligations of an implementation: it changes nothing, it takes
 * less than five seconds for each call, and it says `undefined` where the system does not tell; it never guesses. What a user of
 * this laptop may have written is read with a limit, links not followed, and nothing of it is repeated.
 */
export interface Inspector {
  isRoot(): boolean;
  /** Links are not followed; undefined when there is nothing. */
  file(path: string): Promise<FileFacts | undefined>;
  /** Names in a folder; none when there is no such folder. */
  names(folder: string): Promise<readonly string[]>;
  disk(folder: string): Promise<DiskFacts | undefined>;
  units(names: readonly string[]): Promise<readonly UnitFacts[]>;
  /** Whether the kernel's clock is kept by a time service. */
  clockSynchronised(): Promise<boolean | undefined>;
  /** The interface through which packets to an address leave; undefined when there is no way. */
  interfaceFor(address: string): Promise<string | undefined>;
  /** Rules of policy routing that the kernel does not come with, as text. */
  routingRules(): Promise<readonly string[]>;
  /** Undefined where the resolver does not tell interfaces apart. */
  resolver(): Promise<readonly LinkResolver[] | undefined>;
  /** Addresses of a name, as every program here gets them; none when it has none. */
  resolve(name: string): Promise<readonly string[]>;
  peer(interfaceName: string): Promise<PeerFacts | undefined>;
  /** Where WireGuard is. */
  wireguard(): Promise<'kernel' | 'userspace' | 'none'>;
  /** Those of the programs that are not installed. */
  missingPrograms(): Promise<readonly string[]>;
  /** An installed package, and those of its files that are not as it delivered them; undefined when it is not installed. */
  package(name: string): Promise<{ readonly version: string; readonly altered: readonly string[] } | undefined>;
  /** @param roots DER */
  browserStores(roots: readonly Buffer[]): Promise<readonly BrowserStore[]>;
}
