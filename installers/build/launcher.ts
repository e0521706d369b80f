// The first lines of a built program: runs `<name>.bundle.js`, which is in the same folder, with the bytecode that was
// made at build time. V8 itself rejects bytecode of another version or of other sources, and compiles instead. Nothing
// is ever written.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';

const self = import.meta.filename;
const bundle = path.join(path.dirname(self), `${path.basename(self, '.js')}.bundle.js`);

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

const cachedData = read(`${bundle}.cache`);
const script = new Script(readFileSync(bundle, 'latin1'), {
  filename: bundle,
  ...(cachedData === undefined ? {} : { cachedData }),
});
const run = script.runInThisContext() as (require: NodeJS.Require, filename: string, dirname: string) => void;
run(createRequire(bundle), bundle, path.dirname(bundle));
