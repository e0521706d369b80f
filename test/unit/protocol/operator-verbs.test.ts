import { describe, expect, it } from 'vitest';

import { operatorRequest } from '../../../src/protocol/operator-request.ts';
import { operatorStatement } from '../../../src/protocol/operator-statement.ts';
import { OPERATOR_VERBS } from '../../../src/protocol/operator-verbs.ts';

describe('every verb of an operator', () => {
  it.each(Object.keys(OPERATOR_VERBS))('%s can be asked over the network, and be signed by two', (verb) => {
    expect(operatorRequest.shape.verb.safeParse(verb).success).toBe(true);
    expect(operatorStatement.shape.verb.safeParse(verb).success).toBe(true);
  });
});
