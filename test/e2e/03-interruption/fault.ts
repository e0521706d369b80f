import { readFileSync } from 'node:fs';

import { rootFileName } from '../../../platform/linux/root-file-name.ts';
import type { Customer, Seat } from '../01-enrollment/customer.ts';

const TRACE = '/run/fault-points';

/** The environment in which a program writes down the points that it passes; below /run, so that the disk stays as it is. */
export const TRACED = { KIWISTACK_FAULT_TRACE: TRACE } as const;

/** The points that were passed, in the words of edges.ts. */
export function passedPoints(seat: Seat): string[] {
  const lines = readFileSync(seat.laptop.path(TRACE), 'utf8').trim().split('\n');
  return lines.map((point) => point.replace(/kiwistack-root-[0-9a-f]{16}/u, 'kiwistack-root-*'));
}

/** The environment in which a program is cut off at an edge. */
export function cutAt(customer: Customer, point: string, action: 'kill' | 'fail'): Record<string, string> {
  const root = rootFileName(customer.operator.identity.mspRoot.der);
  return { KIWISTACK_FAULT: `${point.replace('kiwistack-root-*', root)}=${action}` };
}
