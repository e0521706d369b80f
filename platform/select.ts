import type { Platform } from '../src/laptop/system/platform.ts';
import { linuxPlatform } from './linux/index.ts';
import { unsupportedPlatform } from './unsupported/index.ts';

/** The implementations for the operating system that we run on. */
export function selectPlatform(name: NodeJS.Platform = process.platform): Platform {
  return name === 'linux' ? linuxPlatform() : unsupportedPlatform(name);
}
