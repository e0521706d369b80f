import { chmod, copyFile, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { earlyModules, keptModules } from './packages.ts';
import { runTool, tools } from './tools.ts';

export interface KernelPlace {
  /** The folder with Debian's kernel package. */
  readonly packageFolder: string;
  /** The root that receives its modules. */
  readonly root: string;
  /** The folder that receives vmlinuz and initramfs. */
  readonly out: string;
  readonly initScript: string;
}

/** Unpacks the kernel: image and initramfs for qemu, modules for the disk. */
export async function addKernel({ packageFolder, root, out, initScript }: KernelPlace): Promise<void> {
  const [file] = (await readdir(packageFolder)).filter((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error('mmdebstrap fetched no kernel');
  const unpacked = path.join(packageFolder, 'unpacked');
  await runTool(tools.dpkgDeb[0], ['-x', path.join(packageFolder, file), unpacked]);
  const [version] = await readdir(path.join(unpacked, 'lib', 'modules'));
  if (version === undefined) throw new Error(`no modules in ${file}`);
  await copyFile(path.join(unpacked, 'boot', `vmlinuz-${version}`), path.join(out, 'vmlinuz'));
  const from = path.join(unpacked, 'lib', 'modules', version);
  const to = path.join(root, 'usr', 'lib', 'modules', version);
  await mkdir(to, { recursive: true, mode: 0o755 });
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const source = path.join(entry.parentPath, entry.name);
    const name = path.relative(from, source);
    const wanted = name.startsWith('kernel/') ? keptModules.test(name) : name.startsWith('modules.');
    if (!entry.isFile() || !wanted) continue;
    await mkdir(path.dirname(path.join(to, name)), { recursive: true, mode: 0o755 });
    await rename(source, path.join(to, name));
  }
  await runTool(tools.depmod[0], ['-b', root, version]);
  await makeInitramfs({ root, version, out, initScript, work: path.join(packageFolder, 'initramfs') });
  await rm(unpacked, { recursive: true });
}

/**
 * The kernel's first root: busybox and what is needed to mount the disk; uncompressed, because unpacking costs more
 * than reading.
 */
async function makeInitramfs(place: {
  readonly root: string;
  readonly version: string;
  readonly out: string;
  readonly initScript: string;
  readonly work: string;
}): Promise<void> {
  const { root, version, out, initScript, work } = place;
  for (const folder of ['bin', 'modules']) await mkdir(path.join(work, folder), { recursive: true });
  await cp(tools.busybox[0], path.join(work, 'bin', 'busybox'), { dereference: true });
  await copyFile(initScript, path.join(work, 'init'));
  await chmod(path.join(work, 'init'), 0o755);
  const shown = await runTool(tools.modprobe[0], ['-d', root, '-S', version, '--show-depends', '-a', ...earlyModules]);
  const files = [...new Set([...shown.matchAll(/^insmod (\S+)/gmu)].map(([, file]) => file ?? ''))];
  for (const file of files) await copyFile(file, path.join(work, 'modules', path.basename(file)));
  await writeFile(path.join(work, 'modules', 'order'), files.map((file) => `${path.basename(file)}\n`).join(''));
  const names = ['.', ...(await readdir(work, { recursive: true }))].join('\n');
  await runTool(tools.cpio[0], ['-o', '-H', 'newc', '-F', path.join(out, 'initramfs')], { cwd: work, input: names });
}
