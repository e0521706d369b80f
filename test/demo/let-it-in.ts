import { operatorTypes } from './operator-types.ts';

/** An operator approves a claim, after somebody at the laptop has read its code out. */
export async function letItIn(stage: Parameters<typeof operatorTypes>[0], code: string): Promise<void> {
  stage.say('\nSomebody has unpacked it, and reads the six digits on its screen to an operator:');
  await operatorTypes(stage, ['claim', 'list']);
  await operatorTypes(stage, ['claim', 'approve', code]);
  stage.say('');
}
