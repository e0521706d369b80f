import type { Laptop } from '../lab/lab.ts';
import { CLI } from '../world/world.ts';

export interface Upkeep {
  readonly renewMs: number;
  readonly doctorMs: number;
}

/** What happens on all the days after the enrollment: the certificate is renewed, and something examines the laptop. */
export async function playUpkeep(laptop: Laptop, say: (line: string) => void): Promise<Upkeep> {
  say('\nAn hourly timer renews the certificate when half of its life is over; by hand:');
  say('$ kiwistack-enroll renew');
  const renewing = performance.now();
  const renewed = await laptop.run([...CLI, 'renew']);
  const renewMs = performance.now() - renewing;
  if (renewed.code !== 0) throw new Error(`the renewal ended with ${renewed.code}: ${renewed.stderr}`);
  say(renewed.stdout.trimEnd());
  say('\n$ kiwistack-enroll doctor    # its line for each check is left out here');
  const examining = performance.now();
  const doctor = await laptop.run([...CLI, 'doctor']);
  const doctorMs = performance.now() - examining;
  const lines = doctor.stdout.trimEnd().split('\n');
  // A line for each check is more than a newcomer wants to read: what is well is counted at the end.
  for (const line of lines.filter((text) => !/^[✓?-] /u.test(text) && text !== '')) say(line);
  return { renewMs, doctorMs };
}
