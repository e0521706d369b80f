import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

const PROJECT = path.join(import.meta.dirname, '../../../..');
// What electron-builder itself validates with; not of this project's own dependencies.
const builder = createRequire(path.join(PROJECT, 'node_modules/app-builder-lib/package.json'));
const Ajv = (builder('ajv') as { default: new (options: object) => Validator }).default;
const { load } = builder('js-yaml') as { load: (text: string) => Record<string, unknown> };

interface Validator {
  compile(schema: unknown): ((value: unknown) => boolean) & { errors?: unknown };
}

const schema = JSON.parse(readFileSync(builder.resolve('./scheme.json'), 'utf8')) as unknown;
const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
const configuration = load(readFileSync(path.join(PROJECT, 'electron-builder.yml'), 'utf8'));

describe('electron-builder.yml', () => {
  it('is a configuration of electron-builder', () => {
    validate(configuration);
    expect(validate.errors).toBeNull();
  });

  it.each([
    ['an option that there is none of', { ...configuration, asarUnpak: ['x'] }],
    ['a fuse that there is none of', { ...configuration, electronFuses: { runAsNod: false } }],
    ['a value of another type', { ...configuration, asar: 'yes' }],
    ['an option of one system', { ...configuration, win: { requestedExecutionLevel: 'root' } }],
  ])('would be refused with %s', (_, wrong) => {
    expect(validate(wrong)).toBe(false);
  });

  it('leaves none of Node’s back doors open, and publishes nothing', () => {
    expect(configuration).toMatchObject({
      electronFuses: {
        runAsNode: false,
        enableNodeOptionsEnvironmentVariable: false,
        enableNodeCliInspectArguments: false,
        enableEmbeddedAsarIntegrityValidation: true,
        onlyLoadAppFromAsar: true,
        grantFileProtocolExtraPrivileges: false,
      },
      asar: true,
      npmRebuild: false,
      publish: null,
      mac: { hardenedRuntime: true },
      win: { requestedExecutionLevel: 'asInvoker' },
    });
  });
});
