import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { pino } from 'pino';

import type { SignedIn } from '../../../../src/operator-client/signed-in.ts';
import { signIn } from '../../../../src/operator-client/sign-in.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import type { OperatorRole } from '../../../../src/protocol/operator-records.ts';
import { AuditSeal } from '../../../../src/slice/audit/audit-seal.ts';
import { SettingsWatch } from '../../../../src/slice/audit/settings-watch.ts';
import { readSliceConfig, type SliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { loadIdentity, type SliceIdentity } from '../../../../src/slice/config/slice-identity.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import { serveOperators } from '../../../../src/slice/operator-api/serve-operators.ts';
import { openSlice, type LocalSlice } from '../../../../src/slice/operator/open-slice.ts';
import type { Registry } from '../../../../src/slice/registry/registry.ts';
import { freePorts, type TestClock } from '../../../fakes/slice/test-slice.ts';
import { NOW } from '../../pki/test-authority.ts';
import { newOperator, newSlice } from '../intermediate/new-slice.ts';

export type ServedOperator = Awaited<ReturnType<typeof newOperator>>;

/** A slice whose operator API is up, on TLS and its registry, and nothing else of it: step-ca does not answer. */
export interface ServedSlice {
  readonly paths: SlicePaths;
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  readonly registry: Registry;
  readonly clock: TestClock;
  operator(name: string, role: OperatorRole): Promise<ServedOperator>;
  signIn(operator: ServedOperator): Promise<SignedIn>;
  /** As root in the folder. */
  asRoot<T>(work: (slice: LocalSlice) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

async function makeSlice(): Promise<SlicePaths> {
  const [operatorPort = 0, caPort = 0, crlPort = 0] = await freePorts(3);
  const rateLimit = { burst: 100_000, perSecond: 100_000 };
  return newSlice({ insideAddress: '127.0.0.1', operatorPort, caPort, crlPort, rateLimit });
}

/** @param known the folder of one that has ended, to serve it again */
export async function serveSlice(known?: SlicePaths): Promise<ServedSlice> {
  const paths = known ?? (await makeSlice());
  const clock: TestClock = {
    ...{ offsetMs: 0, now: () => NOW.getTime() + clock.offsetMs, monotonic: () => performance.now() },
    sleep: () => Promise.resolve(),
  };
  const [config, identity] = [await readSliceConfig(paths.dir), await loadIdentity(paths)];
  const registry = openRegistry(paths);
  const seal = new AuditSeal({ ...{ file: paths.auditCheckpoint, slug: 'acme', identity, registry, clock } });
  const settings = new SettingsWatch({ dir: paths.dir, registry, clock });
  const stop = await serveOperators(
    { paths, config, identity, registry, seal, settings, clock },
    pino({ level: 'silent' }),
  );
  const issuer = {
    certificate: parseCertificate(await readFile(paths.ca.certificate, 'utf8')),
    key: createPrivateKey(await readFile(paths.ca.key)),
  };
  return {
    ...{ paths, config, identity, registry, clock },
    operator: (name, role) => newOperator({ registry, issuer }, name, role),
    signIn: (key) =>
      signIn({ gateway: `https://127.0.0.1:${config.operatorApi.port}`, roots: identity.mspRoot.pem, hours: 8, key }),
    async asRoot(work) {
      const slice = await openSlice(paths.dir, clock);
      try {
        return await work(slice);
      } finally {
        await slice.close();
      }
    },
    async end() {
      await stop();
      registry.close();
    },
  };
}
