import { playCaCompromised } from './play-ca-compromised.ts';
import type { Scene } from './scene.ts';

/** The bad days of docs/operators.md, each as it is typed there. @returns what a program reads of it */
export const SCENARIOS: Readonly<Record<string, (scene: Scene) => Promise<object>>> = {
  'ca-compromised': playCaCompromised,
};
