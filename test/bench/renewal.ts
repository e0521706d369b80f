import { GATEWAY_URL, PIN, type World } from '../world/world.ts';
import { BUILT, PROGRAM } from './enrollment.ts';
import { median } from './parts.ts';

export interface RenewalFigures {
  /** `kiwistack-enroll renew`, from its start to its end, without what Node needs to load the program. */
  readonly renewMs: number;
  readonly startMs: number;
  /** A connection to the gateway up to the end of its TLS handshake, by curl: two round trips and the asymmetric cryptography. */
  readonly connectMs: number;
}

const ROUNDS = 9;

/** Renewals of one enrolled laptop, one after the other, and a bare connection between each two. */
export async function measureRenewal(world: World, serial: number): Promise<RenewalFigures> {
  const laptop = await world.addLaptop({ name: 'renewing' });
  const key = await world.plugIn(laptop, serial);
  const run = async (argv: readonly string[], input?: string): Promise<{ ms: number; stdout: string }> => {
    const start = performance.now();
    const { code, stdout, stderr } = await laptop.run(argv, input === undefined ? {} : { input });
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${stdout}${stderr}`);
    return { ms: performance.now() - start, stdout };
  };
  await run(BUILT, `${PIN}\n`);
  await key.stop();
  const curl = ['/usr/bin/curl', '-sS', '-o', '/dev/null', '-w', '%{time_appconnect}', `${GATEWAY_URL}/`];
  const times: Record<keyof RenewalFigures, number[]> = { renewMs: [], startMs: [], connectMs: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const start = (await run([...PROGRAM, '--version'])).ms;
    times.startMs.push(start);
    times.renewMs.push((await run([...PROGRAM, 'renew', '--json'])).ms - start);
    times.connectMs.push(Number((await run(curl)).stdout) * 1000);
  }
  await laptop.powerOff();
  return { renewMs: median(times.renewMs), startMs: median(times.startMs), connectMs: median(times.connectMs) };
}
