import { playCaCompromised } from './play-ca-compromised.ts';
import { playKeyLost } from './play-key-lost.ts';
import { playLaptopLost } from './play-laptop-lost.ts';
import { playOperators } from './play-operators.ts';
import type { Scene } from './scene.ts';

/** What docs/operators.md plays, each as it is typed there. @returns what a program reads of it */
export const SCENARIOS: Readonly<Record<string, (scene: Scene) => Promise<object>>> = {
  'key-lost': playKeyLost,
  'laptop-lost': playLaptopLost,
  'ca-compromised': playCaCompromised,
  operators: playOperators,
};
