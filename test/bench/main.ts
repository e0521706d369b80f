// `npm run bench`: a whole enrollment by the built program beside the bare parts it is made of, and the gateway beside step-ca's
// bare /sign, each pair in the same run on the same machine. The ratios are the figures; milliseconds are this machine's.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { printResult } from '../../src/terminal/report.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { World } from '../world/world.ts';
import { buildProgram, measureEnrollment, type EnrollmentFigures } from './enrollment.ts';
import { measureClaim, type ClaimFigures } from './claim.ts';
import { FAR_MS, measureFar, type FarFigures } from './far.ts';
import { CONCURRENCY, measureGateway, measureSign, type GatewayFigures } from './gateway.ts';
import { median } from './parts.ts';
import { measureReconnect, type ReconnectFigures, type RestFigures } from './reconnect.ts';
import { measureRenewal, type RenewalFigures } from './renewal.ts';

const HELP = `usage: npm run bench [-- --json] [--only enrollment|claim|far|reconnect|renewal|gateway] [--laptops N] [--rest SECONDS]

Compares a whole enrollment and a renewal with their bare parts, the gateway with step-ca's bare /sign, and a watched tunnel with plain wg-quick; see
docs/performance.md. Takes about five minutes and needs a quiet machine. What runs at rest is measured for SECONDS: half a minute, and
ten minutes with --json.
`;
const SERIAL = 12345678;
/** A tunnel network for more laptops than a /24 has. */
const INIT = [
  '--rate-limit',
  '100000',
  '--quota',
  '20000',
  '--inside-network',
  '10.76.0.0/16',
  '--inside-address',
  '10.76.0.1',
];
const CIDRS = ['--inside-cidrs', '10.76.0.0/16', '10.77.1.0/24'];
const PROBE = '10.76.0.1';

/** Rounds of each event; a tunnel without a watcher takes 15 seconds for one. */
const RECONNECTS = 5;

const ms = (value: number): string => `${value.toFixed(0).padStart(6)} ms`;

/** What the options ask for. */
interface Flags {
  readonly laptops: number;
  readonly rest: number;
  readonly only?: Part;
}
const PARTS = ['enrollment', 'claim', 'far', 'reconnect', 'renewal', 'gateway'] as const;
type Part = (typeof PARTS)[number];
const isPart = (text: string | undefined): text is Part => PARTS.some((part) => part === text);

const figures: Record<string, number> = {};
let say = (line: string): void => void process.stdout.write(`${line}\n`);

await runScript({
  name: 'npm run bench',
  help: HELP,
  options: {
    json: { type: 'boolean', default: false },
    laptops: { type: 'string', default: '3' },
    only: { type: 'string' },
    rest: { type: 'string' },
  },
  async run({ json, laptops, only, rest = json ? '600' : '30' }) {
    if (only !== undefined && !isPart(only)) {
      throw new KiwiError('usage', { detail: `--only must be one of ${PARTS.join(', ')}` });
    }
    if (!/^[1-9]\d?$/.test(laptops)) throw new KiwiError('usage', { detail: '--laptops must be 1 to 99' });
    if (!/^[1-9]\d{0,4}$/.test(rest)) throw new KiwiError('usage', { detail: '--rest must be 1 to 99999 seconds' });
    if (json) say = () => undefined;
    await bench({ laptops: Number(laptops), rest: Number(rest), ...(only === undefined ? {} : { only }) });
    if (json) printResult('measured', figures);
    return 0;
  },
});

async function bench(flags: Flags): Promise<void> {
  const wanted = (part: Part): boolean => flags.only === undefined || flags.only === part;
  if (wanted('reconnect')) sayReconnect(await measureReconnect(RECONNECTS, flags.rest));
  if (flags.only === 'reconnect') return;
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-bench-'));
  const world = await World.create({ dir, initArgs: [...INIT, ...CIDRS] });
  try {
    await world.provisionKey(SERIAL);
    buildProgram();
    if (wanted('enrollment')) {
      const enrollment = await measureEnrollment(world, SERIAL, flags.laptops, PROBE);
      sayEnrollment(enrollment, await measureSign(world));
    }
    if (wanted('claim')) sayClaim(await measureClaim(world, flags.laptops, PROBE), await measureSign(world));
    if (wanted('far')) sayFar(await measureFar(world, SERIAL));
    if (wanted('renewal')) sayRenewal(await measureRenewal(world, SERIAL), await measureSign(world));
    if (wanted('gateway')) sayGateway(await measureGateway(world, SERIAL));
  } finally {
    await world.destroy();
    await rm(dir, { recursive: true, force: true });
  }
}

function sayEnrollment({ wholes, steps, tokenMs, tunnelMs, agentMs }: EnrollmentFigures, signMs: number): void {
  const wholeMs = median(wholes);
  const parts = tokenMs + signMs + tunnelMs + agentMs;
  const enrollmentRatio = wholeMs / parts;
  Object.assign(figures, { enrollmentRatio, wholeMs, tokenMs, signMs, tunnelMs, agentMs });
  say('A whole enrollment by the built program, without the human (the PIN is piped, the key is touched at once):');
  for (const [index, whole] of wholes.entries()) say(`  laptop ${index + 1}                        ${ms(whole)}`);
  for (const { step, ms: taken } of steps) say(`    ${step.padEnd(28)} ${ms(taken)}`);
  say('\nIts bare parts:');
  say(`  ykcs11: session, login, sign    ${ms(tokenMs)}`);
  say(`  step-ca: /sign                  ${ms(signMs)}`);
  say(`  wg-quick: up to the first ping  ${ms(tunnelMs)}`);
  say(`  agent: dpkg -i to online        ${ms(agentMs)}`);
  say(`  together                        ${ms(parts)}`);
  say(`\nenrollment / parts   ${enrollmentRatio.toFixed(2)}   (at most 3; goal 2)`);
}

function sayClaim({ wholes, steps, tunnelMs, agentMs, ...guesses }: ClaimFigures, signMs: number): void {
  const claimMs = median(wholes);
  const parts = signMs + tunnelMs + agentMs;
  Object.assign(figures, { claimRatio: claimMs / parts, claimMs, ...guesses });
  say('\nA laptop that claims itself, from its network on, by the built program:');
  for (const [index, whole] of wholes.entries()) say(`  laptop ${index + 1}                        ${ms(whole)}`);
  for (const { step, ms: taken } of steps) say(`    ${step.padEnd(28)} ${ms(taken)}`);
  say('Its bare parts: step-ca, tunnel and agent, as above');
  say(`  together                        ${ms(parts)}`);
  say(`\nclaim / parts        ${(claimMs / parts).toFixed(2)}   (goal 2)`);
  say('What a stranger learns from times about whether an id is known (1 is nothing):');
  say(
    `  hello ${guesses.helloRatio.toFixed(3)}, refusal ${guesses.refusalRatio.toFixed(3)}; noise makes ${guesses.noiseRatio.toFixed(3)}`,
  );
}

function sayFar({ wholeMs, agentMs, steps, connections, requests, exchanges: farExchanges }: FarFigures): void {
  const farMs = wholeMs - agentMs;
  Object.assign(figures, { farMs, farAgentMs: agentMs, farExchanges });
  say(`\nThe same over a line with round trips of ${FAR_MS} ms:`);
  for (const { step, ms: taken } of steps) say(`    ${step.padEnd(28)} ${ms(taken)}`);
  say(`  whole                           ${ms(wholeMs)}`);
  say(`  agent: dpkg -i to online        ${ms(agentMs)}`);
  say(`  without the agent               ${ms(farMs)}   (at most 6000)`);
  say(`  exchanges before the tunnel     ${farExchanges.toFixed(0).padStart(6)}      (at most 4): `);
  say(`    ${connections} connection(s) of TCP and TLS, which take two each, and ${requests} requests`);
}

function sayReconnect({ reconnect, rest }: { reconnect: ReconnectFigures; rest: RestFigures }): void {
  const { restartMs, restartAloneMs, addressMs, addressAloneMs } = reconnect;
  Object.assign(figures, reconnect, rest);
  say('A tunnel in use, to the first answered ping (at most 3000), beside plain wg-quick:');
  say(`  after a restart of the server   ${ms(restartMs)}   beside ${ms(restartAloneMs)}`);
  say(`  after a change of address       ${ms(addressMs)}   beside ${ms(addressAloneMs)}`);
  say(`What runs at rest, over ${rest.seconds} s:`);
  say(
    `  resident                        ${rest.rssKib.toFixed(0).padStart(6)} KiB  (at most 2048); proportionally ${rest.pssKib.toFixed(0)} KiB`,
  );
  say(`  of one core                     ${rest.cpuPercent.toFixed(3).padStart(6)} %    (at most 0.05)\n`);
}

function sayRenewal({ renewMs, startMs, connectMs }: RenewalFigures, renewalSignMs: number): void {
  const parts = renewalSignMs + 2 * connectMs;
  const renewalRatio = renewMs / parts;
  Object.assign(figures, { renewalRatio, renewMs, programStartMs: startMs, connectMs, renewalSignMs });
  say('\nA renewal by the built program, without its start:');
  say(
    `  renewal                         ${ms(renewMs)}   (and ${startMs.toFixed(0)} ms for the start of Node and the program)`,
  );
  say('Its bare parts:');
  say(`  step-ca: /sign                  ${ms(renewalSignMs)}`);
  say(`  two connections with TLS        ${ms(2 * connectMs)}`);
  say(`\nrenewal / parts      ${renewalRatio.toFixed(2)}`);
}

function sayGateway({ gatewayRatio, signsPerSecond, enrollmentsPerSecond }: GatewayFigures): void {
  Object.assign(figures, { gatewayRatio, enrollmentsPerSecond, signsPerSecond });
  const rates = `${enrollmentsPerSecond.toFixed(0)} enrollments/s beside ${signsPerSecond.toFixed(0)} bare signatures/s`;
  say(`gateway / step-ca    ${gatewayRatio.toFixed(2)}   (at least 0.5; goal 0.7):`);
  say(`  ${rates}, ${CONCURRENCY} at once`);
}
