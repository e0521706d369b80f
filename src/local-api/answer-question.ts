import { toKiwiError } from '../core/errors.ts';
import type { CallerMessage, Question } from './messages.ts';

/** What a caller answers to the agent's question. What it throws is the answer too: the agent ends the operation with it. */
export async function answerQuestion<Answer extends CallerMessage>(
  question: Question,
  answer: (question: Question) => Promise<Answer>,
): Promise<Answer | Extract<CallerMessage, { type: 'failed' }>> {
  try {
    return await answer(question);
  } catch (error) {
    return { type: 'failed', error: toKiwiError(error) };
  }
}
