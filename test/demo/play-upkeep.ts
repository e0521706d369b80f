import type { Laptop } from '../lab/lab.ts';
import { CLI } from '../world/world.ts';

/** What a program reads of it: the results of both commands, and how long they took. */
export interface Upkeep {
  readonly renewMs: number;
  readonly doctorMs: number;
  /** The number of the new certificate, and its end; with `json`. */
  readonly number?: number;
  readonly notAfter?: string;
  /** How many checks were well and how many not; with `json`. */
  readonly checks?: Readonly<Record<string, number>>;
}

interface Played {
  readonly stdout: string;
  readonly ms: number;
  /** The fields of the result with `--json`. */
  readonly result: Readonly<Record<string, unknown>>;
}

/** What happens on all the days after the enrollment: the certificate is renewed, and something examines the laptop. */
export async function playUpkeep(
  laptop: Laptop,
  { json, say }: { readonly json: boolean; readonly say: (line: string) => void },
): Promise<Upkeep> {
  const play = async (command: string): Promise<Played> => {
    const began = performance.now();
    const { code, stdout, stderr } = await laptop.run([...CLI, command, ...(json ? ['--json'] : [])]);
    const ms = performance.now() - began;
    if (code !== 0) throw new Error(`kiwistack-enroll ${command} ended with ${code}: ${stdout}${stderr}`);
    const result = json ? (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Played['result']) : {};
    return { stdout, ms, result };
  };
  say('\nAn hourly timer renews the certificate when half of its life is over; by hand:');
  say('$ kiwistack-enroll renew');
  const renewed = await play('renew');
  say(renewed.stdout.trimEnd());
  say('\n$ kiwistack-enroll doctor    # its line for each check is left out here');
  const examined = await play('doctor');
  // A line for each check is more than a newcomer wants to read: what is well is counted at the end.
  for (const line of examined.stdout.split('\n').filter((text) => !/^[✓?-] /u.test(text) && text !== '')) say(line);
  const certificate = renewed.result['certificate'] as { number: number; notAfter: string } | undefined;
  const checks = examined.result['counts'] as Record<string, number> | undefined;
  return {
    renewMs: renewed.ms,
    doctorMs: examined.ms,
    ...certificate,
    ...(checks === undefined ? {} : { checks }),
  };
}
