import type { UpdatePackage } from '../../protocol/update-manifest.ts';

/** Which of our packages this laptop has. */
export interface InstalledPackages {
  readonly system: UpdatePackage['system'];
  readonly architecture: string;
  /** Without the agent, it was not installed as a package. */
  readonly versions: Readonly<Partial<Record<UpdatePackage['name'], string>>>;
}

/** Installs new versions of ourselves, by the means of the operating system. */
export interface Updater {
  /** PEM: the keys of the provider whose releases this laptop takes; undefined where the package pins none. */
  releaseKeys(): Promise<string | undefined>;
  installed(): Promise<InstalledPackages>;
  /**
   * Installs the packages, all or none. They are checked against the names and the version first; bytes and origin are the caller's
   * concern. Our own programs are replaced while they run. May be repeated. Never installs an older version.
   *
   * @throws KiwiError `update-unfit` when a package is another one; `update-not-installed`; `package-manager-busy`
   */
  install(update: {
    readonly version: string;
    readonly packages: readonly { readonly name: UpdatePackage['name']; readonly file: string }[];
    readonly waiting?: ((what: string) => void) | undefined;
  }): Promise<void>;
}
