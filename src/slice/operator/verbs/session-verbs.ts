import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** The enrollments in progress. */
export function sessionVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'session'>> {
  return {
    async 'session.list'() {
      const sessions = await registry.listSessions(clock.now());
      return sessions.map(({ usedAt, ...session }) => ({ ...session, used: usedAt !== null }));
    },
  };
}
