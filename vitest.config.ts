import { defineConfig } from 'vitest/config';

// Four suites, by what they need. `unit`: nothing but Node. `contract`: root and the real parts, one at a time.
// `e2e`: whole enrollments in laptops made of namespaces. `machine`: in a virtual laptop with a kernel of its own.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], environment: 'node' } },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/world/build-test-program.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'machine',
          include: ['test/machine/**/*.test.ts'],
          globalSetup: ['test/machine/provide-image-once.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // While a machine boots it uses little more than one core.
          maxWorkers: 2,
        },
      },
    ],
  },
});
