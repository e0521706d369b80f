import path from 'node:path';

import type { Plugin } from 'esbuild';

/**
 * What the packages' own index files would load at every start and we never use: a third of the time until the first line of
 * ours runs. From undici we use requests through a dispatcher of our own over HTTP/1.1, not its fetch, mocks and caches; zod speaks
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
exports.EnvHttpProxyAgent = require('./lib/dispatcher/env-http-proxy-agent');
exports.request = (url, { dispatcher, ...options }) => {
  const { origin, pathname, search } = new URL(url);
  return dispatcher.request({ method: 'GET', ...options, origin, path: pathname + search });
};
`;
