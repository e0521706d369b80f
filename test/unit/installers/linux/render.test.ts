import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { renderChangelog } from '../../../../installers/linux/render-changelog.ts';
import { renderControl } from '../../../../installers/linux/render-control.ts';
import { renderLicenses } from '../../../../installers/linux/render-licenses.ts';
import { dependenciesOf } from '../../../../installers/linux/shared-libraries.ts';

const CHANGES = `# Changelog

## [0.2.0] – unreleased

### Added

- \`one\` thing that is told in a line that goes on and on, until it does not fit any more,
  and in a **second** one.
- Another.

## [0.1.0] – 2026-11-21

- The first.
`;

describe('the changelog', () => {
  it('is the part of CHANGELOG.md about this version, in Debian’s form', () => {
    expect(renderChangelog(CHANGES, '0.2.0+acme1', 1_795_000_000))
      .toBe(`kiwistack-enroll (0.2.0+acme1) stable; urgency=medium

  * one thing that is told in a line that goes on and on, until it does not
    fit any more, and in a second one.
  * Another.

 -- KiwiStack contributors <enroll@kiwistack.io>  Wed, 18 Nov 2026 11:06:40 +0000
`);
  });

  it('is there for the version of package.json', () => {
    const read = (name: string): string => readFileSync(path.join(import.meta.dirname, '../../../..', name), 'utf8');
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(renderChangelog(read('CHANGELOG.md'), version, 0)).toContain(`kiwistack-enroll (${version})`);
    expect(() => renderChangelog(CHANGES, '9.0.0', 0)).toThrow('no section [9.0.0]');
  });
});

describe('the control file', () => {
  const values = { version: '0.1.0', architecture: 'amd64', installedKib: 1, sharedLibraries: ['libc6 (>= 2.34)'] };

  it('has one field a line, lines of fewer than 80 characters in the description, and an end', () => {
    const control = renderControl({ ...values, kind: 'production' });
    const [fields = '', description = ''] = control.split(/(?=^Description:)/mu);
    expect(fields).toMatch(/^([A-Z][A-Za-z-]+: \S.*\n)+$/u);
    expect(fields).toContain('libc6 (>= 2.34), pcscd');
    expect(description).toMatch(/^Description: \S.{0,60}\n( \S.{0,78}\n)+$/u);
  });

  it('says that a test build is one', () => {
    expect(renderControl({ ...values, kind: 'test' })).toContain('THIS IS A TEST BUILD');
  });
});

describe('the licences', () => {
  it('are named in the copyright file, and there word for word', () => {
    const libraries = ['a 1.0 (MIT)\n\nCopyright A\r\n', 'b 2.0 (ISC)\n\nCopyright B\n'].join(
      `\n${'='.repeat(100)}\n\n`,
    );
    const parts = { own: 'Ours:\n\n', libraries, nodeVersion: '24.0.0', node: 'Copyright N\n' };
    const { copyright, licenses } = renderLicenses(parts);
    expect(copyright).toBe(
      'Ours:\n\n  a 1.0 (MIT)\n  b 2.0 (ISC)\n  Node.js 24.0.0 (MIT, and those of what is part of it)\n',
    );
    for (const name of 'ABN') expect(licenses).toContain(`Copyright ${name}\n`);
  });
});

describe('shared libraries', () => {
  const dump = (needed: string[], versions: string[]): string =>
    [
      ...needed.map((name) => `  NEEDED               ${name}`),
      ...versions.map((name) => `    0x0 0x00 15 ${name}`),
    ].join('\n');

  it('become packages with the versions that the binaries need', () => {
    const versions = ['GLIBC_2.28', 'GLIBC_2.4', 'GLIBCXX_3.4.21', 'GLIBCXX_3.4.9', 'GCC_3.0'];
    expect(dependenciesOf(dump(['libc.so.6', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1'], versions))).toEqual([
      'libc6 (>= 2.28)',
      'libgcc-s1',
      'libstdc++6 (>= 5)',
    ]);
  });

  it('that are not known are not passed over', () => {
    expect(() => dependenciesOf(dump(['libfoo.so.1'], []))).toThrow('libfoo.so.1');
    expect(() => dependenciesOf(dump(['libstdc++.so.6'], ['GLIBCXX_3.4.99']))).toThrow('newer');
  });
});
