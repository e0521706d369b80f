import { describe, expect, test } from 'vitest';

import { EXCEPTIONS, reasonFor } from '../../../../../installers/image/harden/exceptions.ts';
import { isOpen, readResults } from '../../../../../installers/image/harden/read-results.ts';
import { renderTailoring } from '../../../../../installers/image/harden/render-tailoring.ts';

const result = (rule: string, said: string): string =>
  `<rule-result idref="xccdf_org.ssgproject.content_rule_${rule}" role="full" time="2026-11-27T20:00:00+00:00" severity="low" weight="1.000000">
     <result>${said}</result>
     <ident system="https://example.org/cce">CCE-1</ident>
   </rule-result>`;
const RESULTS = `<?xml version="1.0"?><Benchmark><Rule id="xccdf_org.ssgproject.content_rule_of_the_guide"/>
  <TestResult id="t">${result('sudo_add_use_pty', 'fail')}${result('package_sudo_installed', 'pass')}
  ${result('package_gdm_removed', 'notselected')}${result('grub2_password', 'notapplicable')}
  <score system="urn:xccdf:scoring:default" maximum="100.000000">75.743210</score></TestResult></Benchmark>`;

describe('what OpenSCAP has written', () => {
  test('is read: score, and every rule that was selected', () => {
    expect(readResults(RESULTS)).toEqual({
      score: 75.74321,
      rules: [
        { rule: 'sudo_add_use_pty', result: 'fail' },
        { rule: 'package_sudo_installed', result: 'pass' },
        { rule: 'grub2_password', result: 'notapplicable' },
      ],
    });
    expect(
      readResults(RESULTS)
        .rules.filter(isOpen)
        .map(({ rule }) => rule),
    ).toEqual(['sudo_add_use_pty']);
  });

  test('a rule that could not be judged is open', () => {
    for (const said of ['error', 'unknown', 'fail']) expect(isOpen({ rule: 'a', result: said })).toBe(true);
  });

  test.each(['', '<Benchmark/>', '<TestResult></TestResult>'])(
    'is refused when there is no result in it: %s',
    (xml) => {
      expect(() => readResults(xml)).toThrow(TypeError);
    },
  );
});

test('a tailoring takes rules out of a profile', () => {
  const text = renderTailoring('xccdf_org.ssgproject.content_profile_cis', ['grub2_password']);
  expect(text).toContain('extends="xccdf_org.ssgproject.content_profile_cis"');
  expect(text).toContain('<xccdf:select idref="xccdf_org.ssgproject.content_rule_grub2_password" selected="false"/>');
});

describe('the exceptions', () => {
  test('have a reason each, and name a rule once', () => {
    const rules = EXCEPTIONS.flatMap((exception) => exception.rules);
    expect(new Set(rules).size).toBe(rules.length);
    for (const { why } of EXCEPTIONS) expect(why).toMatch(/^[A-Z].{20,}\.$/su);
    for (const rule of rules) expect(rule).toMatch(/^[A-Za-z0-9_.-]+$/u);
  });

  test('say why of a rule, and nothing of one that nobody has looked at', () => {
    expect(reasonFor('grub2_password').why).toContain('boot loader');
    expect(reasonFor('a_rule_of_tomorrow')).toEqual({});
  });
});
