import type { Laptop } from '../lab/lab.ts';
import type { Reader, World } from '../world/world.ts';
import { playCaCompromised } from './play-ca-compromised.ts';

/** What a scenario plays with: the customer of the demo, with a laptop that is enrolled. */
export interface Scene {
  readonly world: World;
  readonly laptop: Laptop;
  readonly reader: Reader;
  readonly serial: number;
  readonly say: (line: string) => void;
}

/** The bad days of docs/operators.md, each as it is typed there. @returns what a program reads of it */
export const SCENARIOS: Readonly<Record<string, (scene: Scene) => Promise<object>>> = {
  'ca-compromised': playCaCompromised,
};
