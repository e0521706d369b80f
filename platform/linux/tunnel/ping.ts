import { runTool, type LinuxSystem } from '../system.ts';

/** ping ends by itself; on a laptop that has just booted it begins seconds after it was started. */
const GRACE_MS = 5_000;

/** True when the address answers a ping within this time; asked again until then. */
export async function answersPing(
  system: LinuxSystem,
  address: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = system.clock.monotonic() + timeoutMs;
  do {
    const result = await runTool(system, {
      name: 'ping',
      args: ['-n', '-q', '-c', '1', '-W', String(Math.min(1, timeoutMs / 1000)), '--', address],
      timeoutMs: timeoutMs + GRACE_MS,
      signal,
    });
    if (result.code === 0) return true;
  } while (system.clock.monotonic() < deadline);
  return false;
}

/** True when packets of this size, with their headers, come back from the address. */
export async function carriesPing(
  system: LinuxSystem,
  address: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<boolean> {
  // 28 bytes of headers; `-M do`: nobody may fragment it. With a deadline, ping goes on until one reply has come.
  const size = ['-M', 'do', '-s', String(bytes - 28)];
  const args = ['-n', '-q', '-c', '1', '-i', '0.3', '-w', '2', ...size, '--', address];
  return (await runTool(system, { name: 'ping', args, timeoutMs: 2_000 + GRACE_MS, signal })).code === 0;
}
