import { findProgram, runTool, type LinuxSystem } from '../system.ts';
import { kernelHasWireguard } from './wireguard-support.ts';

/** The first that can do all that a profile asks of it: WireGuard came with 1.16, `ipv6.method=disabled` with 1.20. */
const OLDEST = [1, 20] as const;

/**
 * Who keeps a new tunnel. NetworkManager, where it runs and the kernel has WireGuard (it cannot use wireguard-go): people look for
 * their connections there, and it hands the tunnel's name servers on as it does for its other links. Otherwise wg-quick.
 */
export async function networkManagerCan(system: LinuxSystem): Promise<boolean> {
  if ((await findProgram(system, 'nmcli')) === undefined || !(await kernelHasWireguard(system))) return false;
  const args = ['--terse', '--fields', 'RUNNING,VERSION', 'general'];
  const { code, stdout } = await runTool(system, { name: 'nmcli', args, timeoutMs: 10_000 });
  const [, major, minor] = /^running:(\d+)\.(\d+)/u.exec(stdout.toString()) ?? [];
  if (code !== 0 || major === undefined) return false;
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]);
}
