import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';

import { setBehaviour, type Behaviour } from '../../../fakes/fleet/server/behaviour.ts';
import type { Customer } from '../customer.ts';
import { UNDONE, type Failure, type Stage } from './failure.ts';

/** A Fleet that behaves otherwise. */
const fleet = (change: Partial<Behaviour>): Pick<Failure, 'arrange' | 'restore'> => ({
  arrange: ({ customer }) => behave(customer, change),
  restore: ({ customer }) =>
    behave(customer, Object.fromEntries(Object.keys(change).map((name) => [name, false] as const))),
});

function behave(customer: Customer, change: Partial<Behaviour>): Promise<void> {
  setBehaviour(customer.world.fleetDir, change);
  return Promise.resolve();
}

const CERTIFICATES = ['ca.crt', 'ca.key', 'server.crt', 'server.key'];
async function moveCertificates({ customer }: Stage, from: string, to: string): Promise<void> {
  const { fleetDir } = customer.world;
  await mkdir(path.join(fleetDir, to), { recursive: true });
  for (const name of CERTIFICATES) await rename(path.join(fleetDir, from, name), path.join(fleetDir, to, name));
}

/** What is wrong on the customer's side: everybody there is hit, so these are played alone. */
export const CUSTOMER_FAILURES: readonly Failure[] = [
  {
    name: 'Fleet is down',
    arrange: ({ customer }) => customer.world.stopFleet(),
    restore: ({ customer }) => customer.world.startFleet(),
    step: 'agent',
    code: 'fleet-unreachable',
    exit: 5,
    undone: UNDONE.agent,
  },
  {
    name: 'Fleet shows another certificate than was promised',
    arrange: async (stage) => {
      await stage.customer.world.stopFleet();
      await moveCertificates(stage, '.', 'kept');
      await stage.customer.world.startFleet();
    },
    restore: async (stage) => {
      await stage.customer.world.stopFleet();
      await moveCertificates(stage, 'kept', '.');
      await stage.customer.world.startFleet();
    },
    step: 'agent',
    code: 'fleet-tls',
    exit: 4,
    undone: UNDONE.agent,
  },
  {
    name: 'there is a load balancer, but no Fleet behind it',
    ...fleet({ down: true }),
    step: 'agent',
    code: 'fleet-unreachable',
    exit: 5,
    says: /503/u,
    undone: UNDONE.agent,
  },
  {
    name: 'Fleet refuses the agent',
    ...fleet({ refuseOrbitEnroll: true }),
    step: 'agent',
    code: 'fleet-refused',
    exit: 4,
    undone: UNDONE.agent,
  },
  {
    name: 'Fleet wants the user to sign in first',
    ...fleet({ endUserAuthRequired: true }),
    step: 'agent',
    code: 'fleet-refused',
    exit: 4,
    says: /sign in/u,
    undone: UNDONE.agent,
  },
  {
    name: 'Fleet takes orbit but not osquery: the ghost host',
    ...fleet({ refuseOsqueryEnroll: true }),
    step: 'green',
    code: 'fleet-half-enrolled',
    exit: 4,
    undone: UNDONE.agent,
  },
];
