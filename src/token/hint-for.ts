import type { ErrorCode } from '../core/error-codes.ts';
import { howToGetModule } from './module-path.ts';

const AGAIN = 'and run the command again.';
const SERVICE_OF_WINDOWS = 'In "Services" of Windows,';

/**
 * What to do about a YubiKey that is not reached, where the hint of the code itself does not help: it is for Linux.
 * @returns for the options of a `KiwiError`
 */
export function hintFor(code: ErrorCode, platform: NodeJS.Platform = process.platform): { hint?: string } {
  if (platform !== 'win32') return {};
  switch (code) {
    case 'key-module-missing':
      return { hint: howToGetModule(platform) };
    case 'key-absent':
      return {
        hint: `Plug in your YubiKey ${AGAIN} If it is plugged in: ${SERVICE_OF_WINDOWS} "Smart Card" must not be disabled.`,
      };
    case 'key-service-down':
      return { hint: `${SERVICE_OF_WINDOWS} start "Smart Card" ${AGAIN}` };
    case 'key-service-hangs':
      return { hint: `${SERVICE_OF_WINDOWS} restart "Smart Card", unplug the YubiKey, plug it in ${AGAIN}` };
    default:
      return {};
  }
}
