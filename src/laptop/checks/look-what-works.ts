import { whatWorks, type WhatWorks } from '../standing/what-works.ts';
import { SeenFile } from '../state/seen.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/** Which part of the enrollment fails now, what works without it, and until when. */
export async function lookWhatWorks(facts: EnrollmentFacts): Promise<WhatWorks> {
  const { context } = facts;
  const [certificate, tunnel, inside, slice, last] = await Promise.all([
    facts.certificate().catch(() => undefined),
    facts.tunnel(),
    facts.inside(),
    facts.slice(),
    new SeenFile(context.platform.stateFolder).load(),
  ]);
  // Through a dead tunnel no name is found, and looking takes long.
  const insideName = inside ? await facts.insideName().catch(() => undefined) : undefined;
  const notAfter = certificate?.leaf.notAfter.getTime();
  return whatWorks({
    now: context.clock.now(),
    certificate: notAfter === undefined ? undefined : { notAfter },
    slice,
    tunnel: { up: tunnel.up, inside },
    insideNames: insideName === undefined ? undefined : insideName.addresses.length > 0,
    last,
  });
}
