import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';

import { BUILD_KIND } from '../../core/build-kind.ts';
import { KiwiError } from '../../core/errors.ts';
import { runProgram } from '../../programs/run-program.ts';

/** The release series that ca.json, the templates and the HTTP answers were tested with. */
const VERSION = /^0\.30\.\d+/;

const HINT =
  BUILD_KIND === 'source'
    ? 'Run `npm run prepare-machine`, which builds it.'
    : 'It is no part of Debian or Ubuntu: install the package step-ca of its makers, Smallstep, or put the program into /usr/local/bin. See STEP-CA in kiwistack-slice(8).';

/**
 * Finds step-ca: KIWISTACK_STEP_CA, else `.cache/bin/step-ca` of this repository when the sources run, else PATH.
 * @throws KiwiError `tool-missing` when there is none, or only one of another version
 */
export async function findStepCa(env: NodeJS.ProcessEnv): Promise<string> {
  const given = env['KIWISTACK_STEP_CA'];
  const candidates =
    given === undefined
      ? [
          ...(BUILD_KIND === 'source' ? [path.resolve(import.meta.dirname, '../../../.cache/bin/step-ca')] : []),
          ...(env['PATH'] ?? '').split(':').map((folder) => path.join(folder, 'step-ca')),
        ]
      : [given];
  const found = candidates.find((file) => path.isAbsolute(file) && existsSync(file));
  if (found === undefined) {
    const detail = given === undefined ? 'step-ca 0.30' : `step-ca 0.30: KIWISTACK_STEP_CA names ${given}`;
    throw new KiwiError('tool-missing', { detail, hint: HINT });
  }
  const version = await versionOf(found);
  if (!VERSION.test(version)) {
    throw new KiwiError('tool-missing', { detail: `step-ca 0.30 is needed, ${found} is ${version}` });
  }
  return found;
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runProgram({ program, args: ['version'], timeoutMs: 60_000 });
  const said = /step.* CA\/(\S+)/i.exec(stdout.toString('utf8'))?.[1] ?? 'unknown';
  // A binary built with `go install` reports "0000000-dev"; Go's build information in it has the module's version.
  return VERSION.test(said) ? said : ((await moduleVersion(program)) ?? said);
}

async function moduleVersion(program: string): Promise<string | undefined> {
  const handle = await open(program);
  try {
    let tail = '';
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) {
      const text = tail + (chunk as Buffer).toString('latin1');
      const version = /mod\tgithub\.com\/smallstep\/certificates\tv(\S+)/.exec(text)?.[1];
      if (version !== undefined) return version;
      tail = text.slice(-200);
    }
    return undefined;
  } finally {
    await handle.close();
  }
}
