/** What the rules read of package.json. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Names of everything that package.json asks for. */
export function packageNames(manifest: Manifest): readonly string[] {
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies });
}

/** Packages that are not pinned to one version. */
export function notPinned(manifest: Manifest): readonly string[] {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name} ${version}`);
}

/** Lines of the lock file that name where a package came from, which is another place on every machine. */
export function addressesIn(lock: string): readonly string[] {
  return lock.split('\n').filter((line) => /"resolved":|"https?:\/\/[^"]*\.tgz"/.test(line));
}

/** Packages that have no integrity hash in the lock file. */
export function withoutIntegrity(lock: {
  readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly link?: boolean }>>;
}): readonly string[] {
  return Object.entries(lock.packages)
    .filter(([path, found]) => path !== '' && found.integrity === undefined && found.link !== true)
    .map(([path]) => path);
}
