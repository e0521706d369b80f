import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import type { LaptopContext } from '../../laptop/system/laptop-context.ts';
import { readPinnedRoots } from './pinned-roots.ts';

/**
 * For what needs no person. A package that went first, and its roots with it, must stop nobody from seeing or being rid of an
 * enrollment: its roots are also kept beside its certificate.
 */
export async function laptopContext(signal: AbortSignal): Promise<LaptopContext> {
  const platform = selectPlatform();
  const roots = await readPinnedRoots(platform.pinnedRootsFile).catch(() => []);
  return { platform, clock: systemClock, signal, roots };
}
