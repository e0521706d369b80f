import type { Inspector } from '../../src/laptop/system/inspector.ts';

/** Reads the state of a Linux system with systemd. */
export class LinuxInspector implements Inspector {
  isRoot(): boolean {
    return process.geteuid?.() === 0;
  }
}
