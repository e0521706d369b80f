import path from 'node:path';

import type { Plugin } from 'esbuild';

/**
 * Parts that the packages' index files load at every start although we never use them; they take a third of the start-up time.
 * From undici we use requests through our own dispatcher over HTTP/1.1, not its fetch, mocks and caches; of zod's locales, only
 * English.
 */
export const trimPackages: Plugin = {
  name: 'trim-packages',
  setup(build) {
    build.onLoad({ filter: /node_modules\/undici\/index\.js$/ }, ({ path: file }) => ({
      contents: UNDICI,
      resolveDir: path.dirname(file),
    }));
    build.onLoad({ filter: /node_modules\/(undici\/lib\/dispatcher\/client-h2|zod\/v4\/locales\/index)\.js$/ }, () => ({
      contents: '',
    }));
  },
};

const UNDICI = `
const Dispatcher = require('./lib/dispatcher/dispatcher');
Object.assign(Dispatcher.prototype, require('./lib/api'));
exports.Agent = require('./lib/dispatcher/agent');
exports.Client = require('./lib/dispatcher/client');
exports.Pool = require('./lib/dispatcher/pool');
exports.buildConnector = require('./lib/core/connect');
let shared;
exports.request = (url, { dispatcher, ...options } = {}) => {
  const { origin, pathname, search } = new URL(url);
  return (dispatcher ?? (shared ??= new exports.Agent())).request({ method: 'GET', ...options, origin, path: pathname + search });
};
`;

/** keytar loads its addon from beside its own folder; in what is built, all addons are in one folder below the program. */
export const placeAddons: Plugin = {
  name: 'place-addons',
  setup(build) {
    build.onResolve({ filter: /\/build\/Release\/keytar\.node$/ }, () => ({
      path: './build/Release/keytar.node',
      external: true,
    }));
  },
};
