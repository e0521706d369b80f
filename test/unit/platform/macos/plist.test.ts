import { execFileSync } from 'node:child_process';

import { expect, it } from 'vitest';

import { agentJob, checkJob, mendJob, tunnelJobs } from '../../../../platform/macos/jobs.ts';
import { renderJob, type Job } from '../../../../platform/macos/launchd.ts';
import { readPlist, renderPlist } from '../../../../platform/macos/plist.ts';

/** Another implementation: Python's. */
function python(script: string, input: string): string {
  return execFileSync('/usr/bin/python3', ['-c', `import sys, json, plistlib\n${script}`], { input }).toString();
}
const asJson = (text: string): unknown =>
  JSON.parse(python('print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))', text));

/** launchd.plist(5) of macOS 14, those that a daemon of ours could have. */
const KNOWN = new Set([
  ...[
    'Label',
    'ProgramArguments',
    'EnvironmentVariables',
    'RunAtLoad',
    'KeepAlive',
    'ThrottleInterval',
    'StartInterval',
  ],
  ...['StartCalendarInterval', 'WatchPaths', 'Sockets', 'StandardErrorPath', 'ProcessType', 'Umask', 'ExitTimeOut'],
]);

const jobs: Record<string, Job> = {
  agent: agentJob(),
  check: checkJob(17),
  mend: mendJob(),
  ...tunnelJobs('kiwi-acme'),
};

it.each(Object.entries(jobs))('writes the job "%s" as launchd reads it', (_, job) => {
  const text = renderJob(job);
  expect(asJson(text)).toEqual(JSON.parse(JSON.stringify(job)));
  expect(readPlist(text)).toEqual(job);
  expect(Object.keys(job).filter((key) => !KNOWN.has(key))).toEqual([]);
  expect(text).toContain('<!-- # Written by kiwistack-enroll -->');
  // launchd refuses a program that is not named whole, and one of a person's own folders is none of ours.
  expect(job.ProgramArguments[0]).toMatch(/^\/Library\/KiwiStack\/bin\//u);
});

it('reads what Python writes, of every kind', () => {
  const written = python(
    `value = {"a&<b>": [1, -2, 0.5, True, False, "", "é\\n<&>", b"\\x00\\xff" * 40, {}, []], "n": {"n": {"x": 1}}}
sys.stdout.buffer.write(plistlib.dumps(value))`,
    '',
  );
  expect(readPlist(written)).toEqual({
    'a&<b>': [1, -2, 0.5, true, false, '', 'é\n<&>', Buffer.from('00ff'.repeat(40), 'hex'), {}, []],
    n: { n: { x: 1 } },
  });
});

it('writes what Python reads, of every kind', () => {
  const value = { list: [1, true, false, 'a<b>&c "d"', {}, []], gone: undefined };
  expect(asJson(renderPlist(value, 'a note -- with dashes'))).toEqual({ list: value.list });
});

it.each([
  '',
  '<plist version="1.0">',
  '<plist version="1.0"><dict><key>a</key></dict></plist>',
  '<plist version="1.0"><array><true/></plist>',
  '<plist version="1.0"><integer>seven</integer></plist>',
  '<plist version="1.0"><string>&own;</string></plist>',
  '<!DOCTYPE plist [<!ENTITY own "x">]><plist version="1.0"><true/></plist>',
  `<plist version="1.0">${'<array>'.repeat(100)}</plist>`,
])('refuses %j', (text) => {
  expect(() => readPlist(text)).toThrow(TypeError);
});

it('has no minute that is none', () => {
  expect(() => checkJob(60)).toThrow(TypeError);
  expect(() => renderPlist({ a: 'a\u0007b' })).toThrow(TypeError);
});
