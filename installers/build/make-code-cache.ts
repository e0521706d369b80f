// Run by bundle.ts as a separate process: runs a bundle as its launcher would, and saves V8's bytecode of the functions
// that ran.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';

const [bundle, ...args] = process.argv.slice(2);
if (bundle === undefined) throw new TypeError('the bundle is missing');
process.argv = [process.execPath, bundle, ...args];
const script = new Script(readFileSync(bundle, 'latin1'), { filename: bundle });
process.once('exit', () => writeFileSync(`${bundle}.cache`, script.createCachedData()));
const run = script.runInThisContext() as (require: NodeJS.Require, filename: string, dirname: string) => void;
run(createRequire(bundle), bundle, path.dirname(bundle));
