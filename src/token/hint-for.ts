import type { ErrorCode } from '../core/error-codes.ts';
import { howToGetModule } from './module-path.ts';

const AGAIN = 'and run the command again.';
const SERVICE_OF_WINDOWS = 'In "Services" of Windows,';
/** Apple's own command (Deployment Reference, "Advanced smart card options"). */
const PIV_OF_MACOS_OFF =
  '`sudo defaults write /Library/Preferences/com.apple.security.smartcard DisabledTokens -array com.apple.CryptoTokenKit.pivtoken`';

/**
 * What to do about a YubiKey that is not reached, where the hint of the code itself does not help: it is for Linux.
 * @returns for the options of a `KiwiError`
 */
export function hintFor(code: ErrorCode, platform: NodeJS.Platform = process.platform): { hint?: string } {
  const hint = platform === 'win32' ? onWindows(code) : platform === 'darwin' ? onMacos(code) : undefined;
  return hint === undefined ? {} : { hint };
}

function onWindows(code: ErrorCode): string | undefined {
  switch (code) {
    case 'key-module-missing':
      return howToGetModule('win32');
    case 'key-absent':
      return `Plug in your YubiKey ${AGAIN} If it is plugged in: ${SERVICE_OF_WINDOWS} "Smart Card" must not be disabled.`;
    case 'key-service-down':
      return `${SERVICE_OF_WINDOWS} start "Smart Card" ${AGAIN}`;
    case 'key-service-hangs':
      return `${SERVICE_OF_WINDOWS} restart "Smart Card", unplug the YubiKey, plug it in ${AGAIN}`;
    default:
      return undefined;
  }
}

/** macOS starts its smart-card service by itself. It also looks at a PIV card itself, and has it to itself meanwhile. */
function onMacos(code: ErrorCode): string | undefined {
  switch (code) {
    case 'key-module-missing':
      return howToGetModule('darwin');
    case 'key-busy':
      return (
        `Close programs that use it (for gpg-agent: \`gpgconf --kill scdaemon\`). macOS itself (CryptoTokenKit) holds a YubiKey too, for a moment after it was ` +
        `plugged in: wait ${AGAIN} If it keeps it, and nobody signs in to this Mac with a smart card: ${PIV_OF_MACOS_OFF}, unplug the YubiKey, plug it in ${AGAIN}`
      );
    case 'key-service-down':
    case 'key-service-hangs':
      return `Unplug the YubiKey, plug it in ${AGAIN} If that does not help, restart this Mac.`;
    default:
      return undefined;
  }
}
