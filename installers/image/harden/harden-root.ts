import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../../src/core/errors.ts';
import { MINIMAL_ENVIRONMENT } from '../../../src/programs/minimal-environment.ts';
import { runProgram, type RunResult } from '../../../src/programs/run-program.ts';
import { copyTree } from '../copy-tree.ts';
import type { Tools } from '../tools.ts';
import { EXCEPTIONS, reasonFor } from './exceptions.ts';
import { isOpen, readResults, type Results } from './read-results.ts';
import { renderTailoring, TAILORED_PROFILE } from './render-tailoring.ts';

/** Settings of our own, where the guide leaves a choice or has no program that makes the change. */
const FILES = path.join(import.meta.dirname, 'root');
const OWN_SETTINGS = path.join(import.meta.dirname, 'own-settings.sh');
const INSIDE = path.join(import.meta.dirname, 'run-inside.sh');
export const PROFILE = 'xccdf_org.ssgproject.content_profile_cis_level1_workstation';
/** Some rules can only be followed once others are. */
const PASSES = 2;

/** What is in an image so that it can be hardened, and why. */
export const HARDENING_PACKAGES: Readonly<Record<string, string>> = {
  'openscap-scanner': 'judges the system, here and later on a laptop',
  'libpam-pwquality': 'which passwords of local accounts are good enough',
  'cracklib-runtime': 'its dictionary: without it no password can be changed',
  'apparmor-utils': 'shows and changes what AppArmor confines',
};

export interface HardeningRequest {
  readonly root: string;
  /** The data stream of the SCAP Security Guide for the distribution: ssg-debian12-ds.xml. */
  readonly content: string;
  /** An empty folder. */
  readonly work: string;
  readonly say: (what: string) => void;
}

/** How a system was judged before and after, and every rule that it does not follow. */
export interface HardeningReport {
  readonly profile: string;
  /** SHA-256 of the guide. */
  readonly content: string;
  readonly before: Judgement;
  readonly after: Judgement;
  /** Without a reason: nobody has looked at it yet. */
  readonly open: readonly { readonly rule: string; readonly result: string; readonly why?: string }[];
}

interface Judgement {
  readonly score: number;
  readonly passed: number;
  readonly open: number;
}

/**
 * Changes the system of an image as the guide's programs do for CIS Level 1, and has OpenSCAP judge it before and after. It runs in the image's
 * own root, because the guide's programs are written for the system that they change.
 *
 * @throws KiwiError `program-failed` when OpenSCAP cannot judge; `file-unusable` when the guide is none, or has no such profile
 */
export async function hardenRoot(tools: Tools<'unshare'>, request: HardeningRequest): Promise<HardeningReport> {
  const { root, work, say } = request;
  const content = await readFile(request.content);
  await mkdir(work, { recursive: true });
  await copyFile(request.content, path.join(work, 'guide.xml'));
  const inside = (...argv: readonly string[]): Promise<RunResult> =>
    runProgram({
      program: tools.unshare,
      args: ['--mount', '--pid', '--net', '--ipc', '--uts', '--fork', '--kill-child', INSIDE, root, work, ...argv],
      env: { ...MINIMAL_ENVIRONMENT, HOME: '/root', DEBIAN_FRONTEND: 'noninteractive', SYSTEMD_OFFLINE: '1' },
      timeoutMs: 3_600_000,
      maxOutputBytes: 64 << 20,
    });
  const judge = async (name: string): Promise<Results> => {
    const results = `${name}.xml`;
    const judged = await inside(
      ...['/usr/bin/oscap', 'xccdf', 'eval', '--profile', PROFILE, '--results', `/mnt/${results}`, '/mnt/guide.xml'],
    );
    // 2: at least one rule is not followed.
    if (![0, 2].includes(judged.code)) throw refused('oscap', judged);
    return readResults(await readFile(path.join(work, results), 'utf8'));
  };

  say('OpenSCAP judges it as it is');
  const before = await judge('before');
  await copyTree(FILES, root);
  await copyFile(OWN_SETTINGS, path.join(work, 'own-settings.sh'));
  const own = await inside('/bin/sh', '/mnt/own-settings.sh');
  if (own.code !== 0) throw refused('own-settings.sh', own);
  let now = before;
  for (let pass = 1; pass <= PASSES; pass++) {
    const wanted = new Set(now.rules.filter(isOpen).map(({ rule }) => rule));
    const left = now.rules.map(({ rule }) => rule).filter((rule) => !wanted.has(rule));
    const without = [...new Set([...left, ...EXCEPTIONS.flatMap(({ rules }) => rules)])].sort();
    await writeFile(path.join(work, 'tailoring.xml'), renderTailoring(PROFILE, without));
    const fixed = await inside(
      ...['/usr/bin/oscap', 'xccdf', 'generate', 'fix', '--fix-type', 'bash', '--tailoring-file', '/mnt/tailoring.xml'],
      ...['--profile', TAILORED_PROFILE, '--output', '/mnt/change.sh', '/mnt/guide.xml'],
    );
    if (fixed.code !== 0) throw refused('oscap', fixed);
    say(`changes it (${pass.toString()} of ${PASSES.toString()})`);
    // Its exit code is that of its last change. What it did not achieve is seen afterwards.
    const changed = await inside('/bin/bash', '/mnt/change.sh');
    await writeFile(path.join(work, `change-${pass.toString()}.log`), changed.stderr);
    now = await judge(`after-${pass.toString()}`);
  }
  const open = now.rules
    .filter(isOpen)
    .map(({ rule, result }) => ({ rule, result, ...reasonFor(rule) }))
    .sort((one, other) => (one.rule < other.rule ? -1 : 1));
  await rm(work, { recursive: true });
  return {
    profile: PROFILE,
    content: createHash('sha256').update(content).digest('hex'),
    before: summary(before),
    after: summary(now),
    open,
  };
}

function refused(program: string, { code, stdout, stderr }: RunResult): KiwiError {
  const said = `${stdout.toString().trim().slice(-200)} ${stderr.toString().trim().slice(-500)}`;
  return new KiwiError('program-failed', { detail: `${program}: exit code ${code.toString()}: ${said.trim()}` });
}

const summary = ({ score, rules }: Results): Judgement => ({
  score: Math.round(score * 100) / 100,
  passed: rules.filter(({ result }) => result === 'pass').length,
  open: rules.filter(isOpen).length,
});
