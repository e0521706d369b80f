import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

import { LINT_ZONES } from './test/unit/architecture/directions.js';

// The directions of imports, while one types; the test beside the table asserts them too.
const ZONES = [
  ...LINT_ZONES,
  ...['src', 'platform', 'native', 'installers'].map((folder) => ({
    target: `./${folder}`,
    from: './test',
    message: 'Production imports no test.',
  })),
];

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.cache'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './src/apps/desktop/renderer/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      eqeqeq: ['error', 'always'],
      'no-restricted-syntax': [
        'error',
        {
          selector: "Property[key.name='shell'][value.value=true]",
          message: 'Programs run by absolute path and argument array, never through a shell.',
        },
      ],
    },
  },
  {
    plugins: { 'import-x': importX },
    rules: { 'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: ZONES }] },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
