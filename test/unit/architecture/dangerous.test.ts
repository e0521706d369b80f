import { describe, expect, test } from 'vitest';

import { dangerFaults } from './dangerous.ts';
import { allFiles, isProduction } from './source-files.ts';

describe('dangerous modules and names', () => {
  test('are used only where the table says', () => {
    expect(dangerFaults(allFiles.filter((file) => isProduction(file.path)))).toEqual([]);
  });

  test.each([
    ['src/laptop/tunnel/x.ts', `import { spawn } from 'node:child_process';`],
    ['src/laptop/tunnel/x.ts', `import { spawn } from 'child_process';`],
    ['src/laptop/tunnel/x.ts', `const { spawn } = await import('node:child_process');`],
    ['src/laptop/tunnel/x.ts', `const a = require('node:child_process');`],
    ['src/laptop/tunnel/x.ts', `const a = await import(name);`],
    ['src/laptop/tunnel/x.ts', `const a = process.getBuiltinModule('node:child_process');`],
    ['src/token/find.ts', `import * as graphene from 'graphene-pk11';`],
    ['src/token/find.ts', `import { PKCS11 } from 'pkcs11js';`],
    ['src/laptop/exchange/x.ts', `import forge from 'node-forge';`],
    ['src/laptop/exchange/x.ts', `import { X509Certificate } from '@peculiar/x509';`],
    ['src/slice/x.ts', `import { compactDecrypt } from 'jose';`],
    ['platform/linux/tunnel/linux-tunnel.ts', `import si from 'systeminformation';`],
    ['src/laptop/enrollment/x.ts', `import { Agent } from 'undici';`],
    ['src/slice/gateway/x.ts', `import { DatabaseSync } from 'node:sqlite';`],
    ['src/apps/enroll/x.ts', `import { app } from 'electron';`],
    ['src/slice/x.ts', `import fastify from 'fastify';`],
    ['src/core/x.ts', `import leftPad from 'left-pad';`],
    ['src/core/x.ts', `const a = process.env['HOME'];`],
    ['src/core/x.ts', `const { argv, env } = process;`],
    ['src/core/x.ts', `import { env } from 'node:process';`],
    ['src/core/x.ts', `await fetch('https://example.org');`],
    ['src/core/x.ts', `new Function('return 1')();`],
    ['src/programs/x.ts', `spawn('/bin/true', [], { shell: false });`],
  ])('are refused in %s: %s', (path, text) => {
    expect(dangerFaults([{ path, text }])).toHaveLength(1);
  });

  test('no test runs a program through a shell option', () => {
    const tests = allFiles.filter(
      (file) => file.path.startsWith('test/') && !file.path.startsWith('test/unit/architecture/'),
    );
    expect(dangerFaults(tests).filter((fault) => fault.endsWith('sets shell'))).toEqual([]);
  });
});
