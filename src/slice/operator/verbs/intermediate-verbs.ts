import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** A change of the intermediate is made by root, in the folder of a slice that is stopped; here it is permitted. */
export function intermediateVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'intermediate'>> {
  return {
    async 'intermediate.permit'({ keyDigest }, { audited }) {
      // The statement with both signatures is the permission (`permitIntermediate`); this says in the audit that it was given.
      await registry.audit(audited('intermediate.permit', { why: `for the key ${keyDigest}` }), clock.now());
      return {};
    },
  };
}
