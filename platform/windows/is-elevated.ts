import { readdirSync } from 'node:fs';

import { at, type WindowsSystem } from './system.ts';

/**
 * True for the system and for an elevated administrator: nobody else may look into the folder where Windows keeps its registry. Not the
 * helper's `whoami`, because this is asked where nothing can be waited for.
 */
export function isElevated(system: WindowsSystem): boolean {
  try {
    readdirSync(at(system, 'Windows/System32/config'));
    return true;
  } catch {
    return false;
  }
}
