import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import { parseArgs, promisify } from 'node:util';

const run = promisify(execFile);

const DPKG_DEB = '/usr/bin/dpkg-deb';
const PACKAGE_NAME = 'fleet-osquery';
const VERSION = '1.48.0';
const AGENT_DIR = join(import.meta.dirname, 'agent');
const CACHE_DIR = resolve(import.meta.dirname, '../../../.cache/fleet-package');
/** Every file of the package carries this time, so that the same sources give the same bytes. */
const EPOCH_SECONDS = 1_735_689_600;

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, { deb: string; go: string; platformDir: string }>> = {
  x64: { deb: 'amd64', go: 'amd64', platformDir: 'linux' },
  arm64: { deb: 'arm64', go: 'arm64', platformDir: 'linux-arm64' },
};

export interface FleetPackage {
  readonly path: string;
  readonly sha256: string;
  readonly version: string;
}

/**
 * Builds the stand-in agent's Debian package for this machine's architecture and puts it into `outDir`. The same sources
 * give the same package, which is taken from the cache when it has been built before.
 */
export async function buildFleetPackage({ outDir }: { readonly outDir: string }): Promise<FleetPackage> {
  const architecture = ARCHITECTURES[process.arch];
  if (!architecture) throw new TypeError(`no package for ${process.arch}`);
  const go = findGo();
  const fileName = `${PACKAGE_NAME}_${VERSION}_${architecture.deb}.deb`;
  const cached = join(CACHE_DIR, await hashOfSources(go), fileName);
  if (!(await exists(cached))) await build(go, architecture, cached);
  const path = join(resolve(outDir), fileName);
  await mkdir(dirname(path), { recursive: true });
  await copyFile(cached, path);
  return {
    path,
    sha256: createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
    version: VERSION,
  };
}

async function build(
  go: string,
  architecture: { deb: string; go: string; platformDir: string },
  target: string,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(join(dirname(target), 'build-'));
  try {
    const root = join(work, 'root');
    await layOut(root, architecture);
    await run(
      go,
      [
        ...['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w -buildid='],
        ...['-o', join(root, orbitBinary(architecture.platformDir)), '.'],
      ],
      {
        cwd: AGENT_DIR,
        env: {
          ...process.env,
          CGO_ENABLED: '0',
          GOOS: 'linux',
          GOARCH: architecture.go,
          GOTOOLCHAIN: 'local',
          GOFLAGS: '',
          GOWORK: 'off',
        },
      },
    );
    await chmod(join(root, orbitBinary(architecture.platformDir)), 0o755);
    await settle(root);
    const built = join(work, 'package.deb');
    await run(DPKG_DEB, ['--root-owner-group', '-Zxz', '-z3', '--build', root, built], {
      env: { PATH: '/usr/bin:/bin', SOURCE_DATE_EPOCH: String(EPOCH_SECONDS) },
    });
    // Two builds at once make the same file: whoever comes last replaces it with its equal.
    await rename(built, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Everything but the binary, at the real package's paths. */
async function layOut(root: string, architecture: { deb: string; platformDir: string }): Promise<void> {
  const source = (name: string): Promise<string> => readFile(join(AGENT_DIR, 'package', name), 'utf8');
  const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    await chmod(join(root, path), mode);
  };
  const link = async (path: string, to: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await symlink(to, join(root, path));
  };
  await put('DEBIAN/control', control(architecture.deb));
  for (const script of ['postinst', 'prerm', 'postrm']) await put(`DEBIAN/${script}`, await source(script), 0o755);
  await put('usr/lib/systemd/system/orbit.service', await source('orbit.service'));
  await put('etc/default/orbit', await source('default-orbit'), 0o600);
  await put('opt/orbit/osquery.flags', '', 0o600);
  // The real package brings the public roots in this file, and so does this one: Mozilla's, as Node carries them.
  await put('opt/orbit/certs.pem', `${rootCertificates.join('\n')}\n`);
  for (const empty of ['var/log/osquery', 'var/log/orbit']) await mkdir(join(root, empty), { recursive: true });
  const binary = orbitBinary(architecture.platformDir);
  await mkdir(dirname(join(root, binary)), { recursive: true });
  await link('opt/orbit/bin/orbit/orbit', `/${binary}`);
  await link('usr/local/bin/orbit', '/opt/orbit/bin/orbit/orbit');
  // One binary, two names: it knows what it is by the name it is started with.
  await link(`opt/orbit/bin/osqueryd/${architecture.platformDir}/stable/osqueryd`, `/${binary}`);
}

function orbitBinary(platformDir: string): string {
  return `opt/orbit/bin/orbit/${platformDir}/stable/orbit`;
}

function control(architecture: string): string {
  return `Package: ${PACKAGE_NAME}
Version: ${VERSION}
Section: default
Priority: optional
Architecture: ${architecture}
Maintainer: KiwiStack tests <tests@kiwistack.example>
Description: Fleet osquery -- runtime and autoupdater
 A stand-in for Fleet's agent, for tests only: the real package's name, unit,
 paths, configuration and protocol, and none of its other abilities.
`;
}

/** Gives every folder its mode, whatever our umask is, and everything the one time. */
async function settle(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    await utimes(path, EPOCH_SECONDS, EPOCH_SECONDS);
  }
  await chmod(dir, 0o755);
}

async function hashOfSources(go: string): Promise<string> {
  const hash = createHash('sha256').update(process.arch).update(process.versions.node);
  hash.update((await run(go, ['env', 'GOVERSION'], { env: { ...process.env, GOTOOLCHAIN: 'local' } })).stdout);
  const entries = await readdir(AGENT_DIR, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of [import.meta.filename, ...files.sort()]) {
    hash.update(`\0${file.slice(import.meta.dirname.length)}\0`).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 32);
}

function findGo(): string {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/go/bin', '/usr/lib/go/bin'];
  for (const place of places) {
    const path = join(place, 'go');
    if (!path.startsWith('/')) continue;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  throw new Error('go is not installed (needed: 1.25 or newer)');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string' } } });
  if (values.out === undefined) {
    process.stderr.write('usage: node test/fakes/fleet/build-package.ts --out DIR\n');
    process.exitCode = 2;
  } else {
    process.stdout.write(`${JSON.stringify(await buildFleetPackage({ outDir: values.out }))}\n`);
  }
}
