import { whatWorks, type WhatWorks } from '../standing/what-works.ts';
import { SeenFile } from '../state/seen.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/**
 * Which part of the enrollment fails now, what works without it, and until when.
 * @param insideNames whether names of the customer's domains are found, where that was looked at
 */
export async function lookWhatWorks(facts: EnrollmentFacts, insideNames?: boolean): Promise<WhatWorks> {
  const { context } = facts;
  const [certificate, tunnel, inside, slice, last] = await Promise.all([
    facts.certificate().catch(() => undefined),
    facts.tunnel(),
    facts.inside(),
    facts.slice(),
    new SeenFile(context.platform.stateFolder).load(),
  ]);
  const notAfter = certificate?.leaf.notAfter.getTime();
  return whatWorks({
    now: context.clock.now(),
    certificate: notAfter === undefined ? undefined : { notAfter },
    slice,
    tunnel: { up: tunnel.up, inside },
    insideNames,
    last,
  });
}
