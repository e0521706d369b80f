import type { Authority } from '../src/laptop/system/authority.ts';
import type { Platform } from '../src/laptop/system/platform.ts';
import { PolkitAuthority } from './linux/authority.ts';
import { linuxPlatform } from './linux/index.ts';
import { linuxSystem } from './linux/system.ts';
import { unsupportedPlatform } from './unsupported/index.ts';

/** The implementations for the operating system that we run on. */
export function selectPlatform(name: NodeJS.Platform = process.platform): Platform {
  return name === 'linux' ? linuxPlatform() : unsupportedPlatform(name);
}

/** What decides on this operating system who may do what without being root. */
export function selectAuthority(name: NodeJS.Platform = process.platform): Authority {
  return name === 'linux' ? new PolkitAuthority(linuxSystem) : { allows: () => Promise.resolve(false) };
}
