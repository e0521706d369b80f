// Runs in a thread of its own beside the gateway's: validates statements one after the other. See validation-thread.ts.
import { parentPort, workerData } from 'node:worker_threads';

import { toKiwiError } from '../../core/errors.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { createSqliteRegistry } from '../registry/sqlite-registry.ts';
import { loadIdentity } from '../run/load-identity.ts';
import { validateStatement } from './validate-statement.ts';
import type { ValidationAnswer, ValidationQuestion } from './validation-thread.ts';

if (parentPort === null) throw new TypeError('this is a thread');
const port = parentPort;
const { dir } = workerData as { dir: string };
const paths = slicePaths(dir);
const [config, identity] = [await readSliceConfig(dir), await loadIdentity(paths)];
const registry = createSqliteRegistry(paths.registry);

async function answer({ id, session, body, now }: ValidationQuestion): Promise<ValidationAnswer> {
  const claims: { yubikeySerial?: number } = {};
  try {
    const valid = await validateStatement({ config, identity, registry, now }, session, body, claims);
    return { id, ...claims, valid };
  } catch (thrown) {
    const { code, detail } = toKiwiError(thrown);
    return { id, ...claims, refusal: { code, ...(detail === undefined ? {} : { detail }) } };
  }
}

port.on('message', (question: ValidationQuestion | 'stop') => {
  if (question === 'stop') {
    registry.close();
    port.close();
  } else void answer(question).then((done) => port.postMessage(done));
});
port.postMessage('ready');
