import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createSqliteRegistry } from '../../../src/slice/registry/sqlite/sqlite-registry.ts';
import { describeBundles } from './bundle-contract.ts';
import { describeConsents } from './consent-contract.ts';
import { describeRecoveryKeys } from './recovery-key-contract.ts';
import { describeRegistry, type RegistryUnderTest } from './registry-contract.ts';
import { describeRenewals } from './renewal-contract.ts';

const makeRegistry = async (): Promise<RegistryUnderTest> => {
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwi-registry-'));
  const open = () => createSqliteRegistry(path.join(dir, 'registry.sqlite'));
  const registry = open();
  return {
    registry,
    open,
    remove: () => {
      registry.close();
      return rm(dir, { recursive: true });
    },
  };
};

describeRegistry('SQLite', makeRegistry);
describeRenewals('SQLite', makeRegistry);
describeBundles('SQLite', makeRegistry);
describeConsents('SQLite', makeRegistry);
describeRecoveryKeys('SQLite', makeRegistry);
