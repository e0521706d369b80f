import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The host programs that are needed to build and run the machine, by the Debian package that has them. */
export const tools = {
  mmdebstrap: ['/usr/bin/mmdebstrap', 'mmdebstrap'],
  dpkgDeb: ['/usr/bin/dpkg-deb', 'dpkg'],
  depmod: ['/sbin/depmod', 'kmod'],
  modprobe: ['/sbin/modprobe', 'kmod'],
  cpio: ['/usr/bin/cpio', 'cpio'],
  busybox: ['/bin/busybox', 'busybox-static'],
  mke2fs: ['/sbin/mke2fs', 'e2fsprogs'],
  gcc: ['/usr/bin/gcc', 'g++'],
  qemu: ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
  qemuImg: ['/usr/bin/qemu-img', 'qemu-utils'],
  swtpm: ['/usr/bin/swtpm', 'swtpm'],
  dnsmasq: ['/usr/sbin/dnsmasq', 'dnsmasq-base'],
} as const;

/** Something that the host lacks, explained so that a person can fix it. */
export class MachineError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MachineError';
    this.hint = hint;
  }
}

/** @throws MachineError naming the packages to install */
export function requireTools(): void {
  const missing = [...new Set(Object.values(tools).flatMap(([path, name]) => (existsSync(path) ? [] : [name])))];
  if (missing.length === 0) return;
  throw new MachineError(
    `missing on this host: ${missing.join(' ')}`,
    'bash installers/prepare-machine.sh --for machine',
  );
}

export interface ToolRun {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program on the host and resolves with its output.
 * @throws with the last lines if it fails
 */
export async function runTool(path: string, args: readonly string[], options: ToolRun = {}): Promise<string> {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...proxies() };
  const child = spawn(path, args, {
    stdio: 'pipe',
    env: { ...env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let stdout = '';
  let all = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
    all += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => (all += chunk.toString('utf8')));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return stdout;
  const last = all.trimEnd().split('\n').slice(-15).join('\n');
  const hint = /No space left on device/u.test(all)
    ? 'the disk is full'
    : /Temporary failure resolving|Failed to fetch|Unable to connect|Could not connect/u.test(all)
      ? 'the package archive cannot be reached'
      : 'see what it said';
  throw new MachineError(`${path} ended with ${String(code)}:\n${last}\n`, hint);
}

/** apt may need the machine's proxy. */
function proxies(): Record<string, string> {
  const found = Object.entries(process.env).filter(([name]) => /^(?:https?|no)_proxy$/iu.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}
