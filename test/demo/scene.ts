import type { Laptop } from '../lab/lab.ts';
import type { Reader, World } from '../world/world.ts';

/** What a scenario plays with: the customer of the demo, with a laptop that is enrolled. */
export interface Scene {
  readonly world: World;
  readonly laptop: Laptop;
  readonly reader: Reader;
  readonly serial: number;
  readonly say: (line: string) => void;
}
