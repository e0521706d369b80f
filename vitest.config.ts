import { randomInt } from 'node:crypto';

import { defineConfig } from 'vitest/config';

// Which sample of what is exhaustive is played; see test/sample.ts.
process.env['SAMPLE'] ??= String(randomInt(1, 1_000_000));
if (!/^(?:\d{1,9}|all)$/u.test(process.env['SAMPLE'])) throw new Error('SAMPLE is a number, or "all"');

// A test waits until what it waits for has come, however slow the machine is; only one that would wait for ever fails.
const patient = { expect: { poll: { timeout: 60_000, interval: 50 } } };

// The suites, by what they need. `unit`: nothing but Node. `contract`: root and the real parts, one at a time. `e2e`: whole
// enrollments in laptops made of namespaces. `machine`: in a virtual laptop with a kernel of its own. `fresh`: the README's commands on a
// machine that has only what the README asks for.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...patient,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...patient,
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/world/build-test-program.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'machine',
          include: ['test/machine/**/*.test.ts'],
          // Long, and beside the other lane too much for two cores: see docs/testing.md. Who names a file wants it.
          exclude:
            process.env['SAMPLE'] === 'all' || process.argv.some((word) => word.endsWith('.test.ts'))
              ? []
              : ['claim', 'disk', 'session', 'slice', 'story', 'tunnel-profile', 'watch'].map(
                  (name) => `test/machine/${name}.test.ts`,
                ),
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
          // While a machine boots it uses little more than one core.
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...patient,
          name: 'window',
          include: ['test/window/**/*.test.ts'],
          globalSetup: ['test/world/build-test-program.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'release',
          include: ['test/release/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'wine',
          include: ['test/wine/**/*.test.ts'],
          globalSetup: ['test/wine/build-program.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'single-sign-on',
          include: ['test/single-sign-on/**/*.test.ts'],
          globalSetup: ['test/world/build-test-program.ts'],
          testTimeout: 600_000,
          // Keycloak builds itself before it starts.
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...patient,
          name: 'fresh',
          include: ['test/fresh/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
