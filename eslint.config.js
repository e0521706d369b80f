import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

// The main directions of imports, while one types; test/unit/architecture asserts all of them.
const DOMAIN = [
  'agent-install',
  'attestation',
  'certificate',
  'fingerprint',
  'gateway-client',
  'token',
  'trust',
  'tunnel',
];
const zone = (target, except, message) => ({
  target: `./${target}`,
  from: '.',
  except: except.map((at) => `./${at}`),
  message,
});
const BELOW_DOMAIN = ['src/core', 'src/protocol', 'src/pki', 'src/programs', 'native', 'node_modules'];
const DIRECTIONS = [
  zone('src/core', ['src/core', 'node_modules'], 'src/core imports nothing of the project.'),
  zone('src/protocol', ['src/protocol', 'src/core', 'node_modules'], 'src/protocol imports src/core only.'),
  zone('src/pki', ['src/pki', 'src/protocol', 'src/core', 'node_modules'], 'src/pki imports what is below it only.'),
  zone('src/slice', [...BELOW_DOMAIN, 'src/slice', 'package.json'], 'The slice shares no code with its clients.'),
  ...DOMAIN.map((name) =>
    zone(`src/${name}`, [...BELOW_DOMAIN, `src/${name}`], 'A domain folder imports only what is below it.'),
  ),
  ...['src', 'platform', 'native'].map((folder) => ({
    target: `./${folder}`,
    from: './test',
    message: 'Production imports no test.',
  })),
];

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.cache'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
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
    rules: { 'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: DIRECTIONS }] },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
