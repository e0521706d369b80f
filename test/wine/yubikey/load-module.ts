// Runs in Node for Windows: loads the module as somebody would who takes no care where libraries come from, or as the token host does.
import pkcs11js from 'pkcs11js';

import { confineLibraries } from '../../../native/locked-memory/index.ts';

const [folder = '', here = '', careful] = process.argv.slice(2);
const confined = careful !== undefined && confineLibraries(folder);
process.chdir(here);
let loaded = true;
try {
  new pkcs11js.PKCS11().load(`${folder}\\libykcs11.dll`);
} catch {
  loaded = false;
}
process.stdout.write(JSON.stringify({ confined, loaded }));
