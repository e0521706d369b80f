import type { Authority } from '../src/laptop/system/authority.ts';
import type { Platform } from '../src/laptop/system/platform.ts';
import { linuxPlatform } from './linux/index.ts';
import { polkit } from './linux/polkit.ts';
import { unsupportedPlatform } from './unsupported/index.ts';
import { rootOnly } from './unsupported/root-only.ts';

/** The implementations for the operating system that we run on. */
export function selectPlatform(name: NodeJS.Platform = process.platform): Platform {
  return name === 'linux' ? linuxPlatform() : unsupportedPlatform(name);
}

/** Who decides what a caller of the agent may do. Where nobody does, it is root alone. */
export function selectAuthority(name: NodeJS.Platform = process.platform): Authority {
  return name === 'linux' ? polkit() : rootOnly();
}
