import { describe, expect, it } from 'vitest';

import { isErrorCode, type ErrorCode } from '../../../src/core/error-codes.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { isUnder } from '../architecture/check-directions.ts';
import { readSyntax } from '../architecture/read-syntax.ts';
import { allFiles } from '../architecture/source-files.ts';

/** What operators start; the token host is a process of its own, whose errors arrive as codes. */
const PROGRAMS = ['slice', 'operator', 'msp']
  .map((name) => `src/apps/${name}/main.ts`)
  .concat('src/token/host/main.ts');

/** These answer laptops, whose users see the other hint; and the table names every code. */
const NOT_SHOWN = [
  ...['src/slice/gateway', 'src/slice/enrollment', 'src/slice/device', 'src/slice/decisions', 'src/protocol'],
  ...[
    'src/core/error-codes.ts',
    'src/core/check-codes.ts',
    'src/core/claim-codes.ts',
    'src/core/key-codes.ts',
    'src/core/refusal-codes.ts',
    'src/core/slice-codes.ts',
    'src/core/tpm-codes.ts',
    'src/core/tunnel-app-codes.ts',
    'src/core/update-codes.ts',
  ],
  // An operator is told that the audit's checkpoint is damaged.
  'src/pki/gateway-signed.ts',
];

/** Every code that a file names which an operator's program loads. */
function operatorCodes(): ErrorCode[] {
  const files = new Map(allFiles.map((file) => [file.path, file]));
  const loaded = new Set<string>();
  const codes = new Set<ErrorCode>();
  const load = (path: string): void => {
    const file = files.get(path);
    if (file === undefined || loaded.has(path) || !path.endsWith('.ts')) return;
    loaded.add(path);
    for (const { own, typeOnly, target } of readSyntax(file).imports) if (own && !typeOnly) load(target);
    if (NOT_SHOWN.some((place) => isUnder(path, place))) return;
    for (const [, name = ''] of file.text.matchAll(/'([a-z-]+)'/gu)) if (isErrorCode(name)) codes.add(name);
  };
  PROGRAMS.forEach(load);
  return [...codes];
}

describe('the hint of an error that an operator sees', () => {
  const codes = operatorCodes();

  it('is looked for in all of them', () => {
    for (const code of ['slice-exists', 'yubikey-unregistered', 'pin-locked', 'access-denied', 'key-busy']) {
      expect(codes).toContain(code);
    }
    expect(codes).not.toContain('fleet-half-enrolled');
  });

  it.each(codes)('of %s is for an operator, who has no operator to ask and enrolls nothing', (code) => {
    const { operatorHint } = new KiwiError(code);
    expect(operatorHint).not.toMatch(/your operator|kiwistack-enroll|the laptop|your YubiKey/iu);
  });

  it('of a folder that contains a slice does not say to remove it', () => {
    expect(new KiwiError('slice-exists').operatorHint).toContain('Never remove');
  });
});

describe('a hint of a file that an operator’s program loads', () => {
  it('does not ask an operator either, where it is written beside the error', () => {
    const own = allFiles.filter(({ path }) => /^src\/(?:slice|apps\/(?:slice|operator)|token)\//u.test(path));
    expect(own.filter(({ text }) => /hint: .*your operator/u.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
