import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

import { KiwiError } from '../src/core/errors.ts';
import { endWith } from '../src/terminal/report.ts';

// `npm test`: every check, cheapest first. Those that take seconds run first, one at a time, and end the run when they
// fail; then come the suites, on two cores in parallel where they do not disturb one another. The suites of the virtual
// machine and of the bare machine have their own commands; `npm test -- all` includes them, and `npm test -- NAME` runs
// one stage.

const repository = join(import.meta.dirname, '..');
const reports = join(repository, '.cache', 'test-reports');
const bin = join(repository, 'node_modules', '.bin');
const sample = process.env['SAMPLE'] ?? String(randomInt(1, 1_000_000));
// Needed when npm did not start us: the tools run on the Node that is part of the project.
const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}`, SAMPLE: sample };

interface Stage {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** Where vitest writes its JSON report. */
  readonly report?: string;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly counts: Counts | undefined;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const quick: readonly Stage[] = [
  { name: 'format', argv: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'lint', argv: ['eslint', '.'] },
  { name: 'typecheck', argv: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'types of the page', argv: ['tsc', '-p', 'src/apps/desktop/renderer/tsconfig.json'] },
];
/** One lane has the suites that use the processor, the other those that wait for real time-outs. */
const lanes: readonly (readonly Stage[])[] = [
  [suite('unit'), suite('fresh'), suite('window'), suite('machine'), suite('wine')],
  [suite('contract'), suite('e2e'), suite('single-sign-on')],
];
const ONLY_IN_ALL = ['fresh', 'machine', 'window', 'wine'];
/** Only where nothing is sampled: Keycloak is a large download. */
const ONLY_NIGHTLY = ['single-sign-on'];
/** What they need is large, so that `prepare-machine --for test` leaves it out. */
const PREPARED_APART = ['wine', 'single-sign-on'];

const [wanted = 'most'] = process.argv.slice(2);
const isWanted = ({ name }: Stage): boolean => {
  if (name === wanted) return true;
  if (ONLY_NIGHTLY.includes(name)) return wanted === 'all' && sample === 'all';
  return wanted === 'all' || (wanted === 'most' && !ONLY_IN_ALL.includes(name));
};
const stages = [...quick, ...lanes.flat()].filter(isWanted);
if (stages.length === 0) {
  const names = ['all', ...[...quick, ...lanes.flat()].map(({ name }) => name)];
  endWith(
    new KiwiError('usage', { detail: `there is no stage ${wanted}`, hint: `The stages are: ${names.join(', ')}.` }),
    false,
  );
  process.exit();
}

function suite(name: string): Stage {
  const report = join(reports, `${name}.json`);
  const reporters = ['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`];
  return { name, argv: ['vitest', 'run', '--project', name, ...reporters], report };
}

/**
 * Where a suite that builds laptops from namespaces runs: in its own pid namespace, so that anything it leaves running
 * ends with it, and below a shell that reaps orphans. A container's first process does not always reap them, and a
 * laptop with a zombie process never ends.
 */
const REAPED = [
  '/usr/bin/unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '/bin/bash',
  '-c',
  '"$@"; exit $?',
  'stage',
];
const NEEDS_ROOT = ['contract', 'e2e', 'machine', 'fresh', 'window', 'wine', 'single-sign-on'];

/** Runs a stage's program: unchanged when alone; in parallel with another, each line begins with the stage's name. */
function run({ name, argv: [tool, ...rest] }: Stage): Promise<boolean> {
  const [program = '', ...args] = [...(NEEDS_ROOT.includes(name) ? REAPED : []), join(bin, tool), ...rest];
  return new Promise((resolve, reject) => {
    const alone = stages.length === 1;
    const output = alone ? 'inherit' : 'pipe';
    const child = spawn(program, args, { cwd: repository, stdio: ['ignore', output, output], env });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => console.log(`${name.padEnd(9)}│ ${line}`));
    }
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}

/** A stage's report; a suite that ended without one failed. */
async function reportOf({ report }: Stage): Promise<Report | undefined> {
  const text = report === undefined ? undefined : await readFile(report, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Report);
}

function countsOf(report: Report | undefined): Counts {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  return { passed: report.numPassedTests, failed: report.numFailedTests, skipped: report.numPendingTests };
}

const SHOWN_FAILURES = 12;
const SHOWN_LINES = 8;

/**
 * What failed, again, for the end of the output: of a long log often only the end is kept. A file can fail without a
 * failed test in it, when it does not load or its hooks fail.
 */
function failuresIn(report: Report): string[] {
  return report.testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      const said = failed.length === 0 ? [{ fullName: '', failureMessages: [message] }] : failed;
      return said.map(({ fullName, failureMessages }) => {
        const lines = failureMessages.join('\n').split('\n').slice(0, SHOWN_LINES);
        return [`✗ ${relative(repository, name)} ${fullName}`, ...lines.map((line) => `    ${line}`)].join('\n');
      });
    });
}

const failures: string[] = [];
const rows: string[] = [];

async function play(stage: Stage): Promise<Result> {
  const started = performance.now();
  const succeeded = await run(stage);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const report = await reportOf(stage);
  const counts = stage.report === undefined ? undefined : countsOf(report);
  if (report !== undefined) failures.push(...failuresIn(report));
  // A suite that ran nothing did not pass.
  const passed = succeeded && counts?.passed !== 0;
  rows.push(
    `${stage.name.padEnd(10)} ${passed ? 'passed' : 'FAILED'} ${seconds.padStart(7)} s  ${describe(counts)}`.trimEnd(),
  );
  return { name: stage.name, passed, counts };
}

function describe(counts: Counts | undefined): string {
  if (counts === undefined) return '';
  const { passed, failed, skipped } = counts;
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

async function inTurn(lane: readonly Stage[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const stage of lane) results.push(await play(stage));
  return results;
}

for (const { name } of stages.filter((stage) => PREPARED_APART.includes(stage.name))) {
  const script = join(repository, 'installers/prepare-machine.sh');
  const { status } = spawnSync('/bin/bash', [script, '--for', name], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
await rm(reports, { recursive: true, force: true });
await mkdir(reports, { recursive: true });
const started = performance.now();
console.log(
  sample === 'all'
    ? 'nothing is sampled'
    : `sample ${sample} of the exhaustive tests, without what only npm run test:nightly runs; SAMPLE=${sample} repeats it`,
);
const results = await inTurn(quick.filter(isWanted));
const stopped = results.some(({ passed }) => !passed);
if (!stopped) results.push(...(await Promise.all(lanes.map((lane) => inTurn(lane.filter(isWanted))))).flat());

const total = { passed: 0, failed: 0, skipped: 0 };
for (const { passed, counts } of results) {
  total.passed += counts?.passed ?? 0;
  // A stage can fail outside its tests (a file that does not load): that is a failure too.
  total.failed += passed ? 0 : Math.max(counts?.failed ?? 0, 1);
  total.skipped += counts?.skipped ?? 0;
}
if (failures.length > 0) {
  const more = failures.length - SHOWN_FAILURES;
  console.log(`\n${failures.slice(0, SHOWN_FAILURES).join('\n')}${more > 0 ? `\n… and ${more} more` : ''}`);
}
console.log(
  `\n${rows.join('\n')}\nin ${((performance.now() - started) / 60_000).toFixed(1)} minutes, sample ${sample}`,
);
if (stopped)
  console.log(
    `not run: ${stages
      .slice(results.length)
      .map(({ name }) => name)
      .join(', ')}`,
  );
if (total.failed > 0) process.exitCode = 1;
// A plain last line that shows whether tests ran.
console.log(describe(total));
