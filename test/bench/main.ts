// `npm run bench`: a whole enrollment beside the bare parts it is made of, and the gateway beside step-ca's bare /sign, each
// pair in the same run on the same machine. The ratios are the figures; milliseconds are this machine's.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import type { Room } from '../lab/lab.ts';
import { CLI, GATEWAY_URL, PIN, World } from '../world/world.ts';
import { measureAgent, measureToken, measureTunnel, median } from './parts.ts';

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, laptops: { type: 'string', default: '3' } },
});
const SERIAL = 12345678;
const BATCH = 400;
const CONCURRENCY = 16;
/** A tunnel network for more laptops than a /24 has. */
const INIT = [
  '--rate-limit',
  '10000',
  '--quota',
  '5000',
  '--inside-network',
  '10.76.0.0/16',
  '--inside-address',
  '10.76.0.1',
];
const CIDRS = ['--inside-cidrs', '10.76.0.0/16', '10.77.1.0/24'];
const PROBE = '10.76.0.1';

const say = (line: string): void => {
  if (!flags.json) process.stdout.write(`${line}\n`);
};
const ms = (value: number): string => `${value.toFixed(0).padStart(6)} ms`;

async function driver<T>(room: Room, name: string, args: readonly (string | number)[]): Promise<T> {
  const script = path.join(import.meta.dirname, 'drivers', `${name}.ts`);
  const { code, stdout, stderr } = await room.run([process.execPath, script, ...args.map(String)], {
    timeoutMs: 300_000,
  });
  if (code !== 0) throw new Error(`${name}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-bench-'));
const world = await World.create({ dir, initArgs: [...INIT, ...CIDRS] });
try {
  await world.provisionKey(SERIAL);

  say('A whole enrollment without the human (the PIN is piped, the key touched at once):');
  const wholes: number[] = [];
  const parts = { token: 0, tunnel: 0, agent: 0 };
  const laptops = Number(flags.laptops);
  for (let index = 0; index < laptops; index++) {
    const laptop = await world.addLaptop({ name: `bench${index}` });
    const key = await world.plugIn(laptop, SERIAL);
    const start = performance.now();
    const result = await laptop.run([...CLI, 'enroll', '--json', '--pin-fd', '0'], { input: `${PIN}\n` });
    wholes.push(performance.now() - start);
    if (result.code !== 0) throw new Error(`the enrollment failed: ${result.stdout}${result.stderr}`);
    say(`  laptop ${index + 1}                        ${ms(wholes.at(-1) ?? 0)}`);
    if (index === laptops - 1) {
      for (const event of steps(result.stdout)) say(`    ${event.step.padEnd(28)} ${ms(event.ms)}`);
      parts.token = await measureToken(laptop);
      parts.tunnel = await measureTunnel(laptop, PROBE);
      const [package_ = ''] = await readdir(path.join(dir, 'private', 'packages'));
      parts.agent = await measureAgent(world, laptop, path.join(dir, 'private', 'packages', package_));
    }
    await key.stop();
    await laptop.powerOff();
  }

  const stranger = await world.lab.addRoom({ name: 'crowd' });
  const public_ = path.join(dir, 'public');
  const crowd = [
    GATEWAY_URL,
    path.join(public_, 'web-ca.crt'),
    path.join(public_, 'msp-roots.pem'),
    world.keyFile(SERIAL),
  ];
  const bare = (): Promise<{ sequentialMs: number[]; concurrentMs: number }> =>
    driver(world.slice, 'step-ca', [world.sliceDir, BATCH, CONCURRENCY]);
  const gateway = (): Promise<{ ms: number; helloMs: number; statementMs: number }> =>
    driver(stranger, 'gateway', [...crowd, BATCH, CONCURRENCY]);
  // Each is warmed once; then they take turns, so that a slow moment of the machine meets both.
  await bare();
  await gateway();
  const rounds = [];
  for (let round = 0; round < 3; round++) rounds.push({ bare: await bare(), gateway: await gateway() });

  const sign = median(rounds.flatMap((round) => round.bare.sequentialMs));
  const whole = median(wholes);
  const sum = parts.token + sign + parts.tunnel + parts.agent;
  const enrollmentRatio = whole / sum;
  const gatewayRatio = median(rounds.map((round) => round.bare.concurrentMs / round.gateway.ms));
  const signsPerSecond = median(rounds.map((round) => (BATCH / round.bare.concurrentMs) * 1000));
  const enrollmentsPerSecond = median(rounds.map((round) => (BATCH / round.gateway.ms) * 1000));

  say('\nIts bare parts:');
  say(`  ykcs11: session, login, sign    ${ms(parts.token)}`);
  say(`  step-ca: /sign                  ${ms(sign)}`);
  say(`  wg-quick: up to the first ping  ${ms(parts.tunnel)}`);
  say(`  agent: dpkg -i to online        ${ms(parts.agent)}`);
  say(`  together                        ${ms(sum)}`);
  say(`\nenrollment / parts   ${enrollmentRatio.toFixed(2)}   (at most 3; goal 2)`);
  say(`gateway / step-ca    ${gatewayRatio.toFixed(2)}   (at least 0.5; goal 0.7): `);
  say(
    `  ${enrollmentsPerSecond.toFixed(0)} enrollments/s beside ${signsPerSecond.toFixed(0)} bare signatures/s, ${CONCURRENCY} at once`,
  );
  if (flags.json) {
    const figures = {
      wholeMs: whole,
      tokenMs: parts.token,
      signMs: sign,
      tunnelMs: parts.tunnel,
      agentMs: parts.agent,
    };
    const rates = { enrollmentsPerSecond, signsPerSecond };
    process.stdout.write(`${JSON.stringify({ enrollmentRatio, gatewayRatio, ...figures, ...rates })}\n`);
  }
} finally {
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
}

function steps(stdout: string): { step: string; ms: number }[] {
  return stdout
    .split('\n')
    .filter((line) => line.includes('"step-done"'))
    .map((line) => JSON.parse(line) as { step: string; ms: number });
}
