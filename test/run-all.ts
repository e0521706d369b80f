import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

// `npm test`: every check in order of its price, each with its time; the first that fails ends the run. Without the virtual
// machine's suite, which `npm run test:machine` runs; `npm test -- all` is both.

const repository = join(import.meta.dirname, '..');
const reports = join(repository, '.cache', 'test-reports');
const bin = join(repository, 'node_modules', '.bin');
// Also when it was not npm that started us: the tools run on the Node that the project brings.
const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };

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

const everything: readonly Stage[] = [
  { name: 'format', argv: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'lint', argv: ['eslint', '.'] },
  { name: 'typecheck', argv: ['tsc', '-p', 'tsconfig.json'] },
  suite('unit'),
  suite('contract'),
  suite('e2e'),
  suite('machine'),
];
const [wanted = 'most'] = process.argv.slice(2);
const stages = everything.filter(
  ({ name }) => wanted === 'all' || name === wanted || (wanted === 'most' && name !== 'machine'),
);
if (stages.length === 0) throw new Error(`there is no suite ${wanted}`);

function suite(name: string): Stage {
  const report = join(reports, `${name}.json`);
  const reporters = ['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`];
  return { name, argv: ['vitest', 'run', '--project', name, ...reporters], report };
}

function run([program, ...args]: Stage['argv']): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(bin, program), args, { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'], env });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** The numbers of a report; a suite that ended without one failed, and one that ran nothing did not pass. */
async function countsOf(report: string): Promise<Counts> {
  const text = await readFile(report, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(text) as Record<string, number>;
  return { passed: numPassedTests ?? 0, failed: numFailedTests ?? 0, skipped: numPendingTests ?? 0 };
}

const rows: string[] = [];
const total = { passed: 0, failed: 0, skipped: 0 };
let failure: string | undefined;

await rm(reports, { recursive: true, force: true });
await mkdir(reports, { recursive: true });
for (const stage of stages) {
  console.log(`\n== ${stage.name}`);
  const started = performance.now();
  let passed = await run(stage.argv);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  let detail = '';
  if (stage.report !== undefined) {
    const counts = await countsOf(stage.report);
    if (passed && counts.passed === 0) passed = false;
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    detail = `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`;
  }
  // A suite can fail outside its tests (a file that does not load): that is a failure too.
  if (!passed && total.failed === 0) total.failed = 1;
  rows.push(`${stage.name.padEnd(10)} ${passed ? 'passed' : 'FAILED'} ${seconds.padStart(7)} s  ${detail}`.trimEnd());
  if (!passed) {
    failure = stage.name;
    break;
  }
}

console.log(`\n${rows.join('\n')}`);
if (failure !== undefined) {
  const left = stages.slice(stages.findIndex(({ name }) => name === failure) + 1).map(({ name }) => name);
  console.log(`stopped: ${failure} failed${left.length > 0 ? `; not run: ${left.join(', ')}` : ''}`);
  process.exitCode = 1;
}
// The plain closing line that tells whoever reads the output whether tests ran.
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
