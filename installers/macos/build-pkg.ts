import { writeFile } from 'node:fs/promises';
import { gzip } from 'node:zlib';
import { promisify } from 'node:util';

import { RECEIPTS } from '../../platform/macos/paths.ts';
import { writeBom } from './bom.ts';
import { writeCpio } from './cpio.ts';
import { contentOf, entriesBelow, withFolders, type Entry } from './entry.ts';
import { layOutAgent, layOutScripts } from './lay-out.ts';
import { renderDistribution, renderPackageInfo, type Component } from './render-package.ts';
import { writeXar, type Member } from './xar.ts';

export interface Pkg {
  readonly version: string;
  /** The folder that installers/build/macos.ts made. */
  readonly program: string;
  /** `KiwiStack Enroll.app`. */
  readonly app: string;
  /** As Apple names them: `arm64`. */
  readonly architecture: string;
  readonly out: string;
  readonly epochSeconds: number;
}

const APP = 'KiwiStack Enroll.app';
const compress = promisify(gzip);

/**
 * Makes the package for macOS: a product archive of two components, the agent and the window. The same files give the same bytes.
 * @throws KiwiError `file-unusable` for what can be in no package
 */
export async function buildPkg({ version, program, app, architecture, out, epochSeconds }: Pkg): Promise<void> {
  const agent = await makeComponent(
    { identifier: RECEIPTS.ours, name: 'agent', title: 'KiwiStack Enroll', installLocation: '/' },
    { payload: withFolders(await layOutAgent(program)), scripts: await layOutScripts(version) },
    version,
    epochSeconds,
  );
  const window = await makeComponent(
    { identifier: `${RECEIPTS.ours}.window`, name: 'window', title: 'Window', installLocation: '/Applications' },
    { payload: withFolders(await entriesBelow(app, APP)), scripts: [] },
    version,
    epochSeconds,
  );
  const made = [agent, window];
  const components = made.map(({ component }) => component);
  const title = 'KiwiStack Enroll';
  const distribution = renderDistribution({ title, version, components, architecture, minimumSystem: '14.0' });
  const members = [
    { name: 'Distribution', bytes: Buffer.from(distribution) },
    ...made.flatMap(({ members: own }) => own),
  ];
  await writeFile(out, writeXar(members, epochSeconds));
}

interface Parts {
  readonly payload: readonly Entry[];
  /** None, or with `preinstall` and `postinstall`. */
  readonly scripts: readonly Entry[];
}

async function makeComponent(
  about: Omit<Component, 'files' | 'kibibytes' | 'scripts'>,
  { payload, scripts }: Parts,
  version: string,
  epochSeconds: number,
): Promise<{ component: Component; members: Member[] }> {
  let bytes = 0;
  for (const entry of payload) bytes += entry.kind === 'folder' ? 0 : (await contentOf(entry)).length;
  const component: Component = {
    ...about,
    files: payload.length,
    kibibytes: Math.ceil(bytes / 1024),
    scripts: scripts.length > 0,
  };
  const parts: Record<string, Buffer> = {
    PackageInfo: Buffer.from(renderPackageInfo(component, version)),
    Bom: await writeBom(payload, epochSeconds),
    Payload: await archive(payload, epochSeconds),
    ...(scripts.length > 0 ? { Scripts: await archive(withFolders(scripts), epochSeconds) } : {}),
  };
  const members = Object.entries(parts).map(([name, content]) => ({
    name: `${about.name}.pkg/${name}`,
    bytes: content,
  }));
  return { component, members };
}

/** In memory: some hundreds of megabytes, on the machine where releases are made. */
async function archive(entries: readonly Entry[], epochSeconds: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of writeCpio(entries, epochSeconds)) parts.push(part);
  return compress(Buffer.concat(parts), { level: 6 });
}
