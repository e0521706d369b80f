/**
 * Who may import whom: the one place that says it. The architecture tests and the linter's zones (eslint.config.js) are made from
 * this table, so it is plain JavaScript that any Node can load.
 *
 * A row is a folder (or a single file) and what its files may take from elsewhere in the project; a folder may always import itself.
 * The order is the direction: a row names only rows above it, so that there is no circle of folders. A folder inside a row belongs to
 * it unless it has a row of its own. Code without a row fails the test, so that a new folder has to say where it belongs. What each
 * folder is for stands in its README.md.
 */

/** Errors and bytes, the messages of kiwi/1, certificates and signatures: both sides stand on them. */
const MESSAGES = ['src/core', 'src/protocol', 'src/pki'];

/** What a laptop does, one thing a folder: none imports another. The gateway client alone stands on the exchange that it carries. */
const DOMAINS = [
  'src/laptop/exchange',
  'src/laptop/gateway-client',
  'src/laptop/fingerprint',
  'src/laptop/tunnel',
  'src/laptop/fleet-agent',
  'src/laptop/sign-in',
  'src/laptop/update',
  'src/laptop/recovery-key',
];

/** What an operator does with a slice: over the network as well, and what needs the slice's own folder. */
const OPERATOR_DOORS = [
  ...['src/slice/operator/open-slice.ts', 'src/slice/operator/reissue-yubikey.ts'],
  ...['src/slice/operator/reissue-operator.ts', 'src/slice/operator/reissue.ts'],
];

/** How a plan is carried out, what is kept of it, and how this device stands at its slice. */
const RUNS = ['src/laptop/pipeline', 'src/laptop/state', 'src/laptop/standing'];

/** @type {Readonly<Record<string, readonly string[]>>} */
export const DIRECTIONS = {
  // The ground.
  'src/core': ['package.json'],
  'src/protocol': ['src/core'],
  'src/pki': ['src/core', 'src/protocol'],
  'src/programs': ['src/core'],
  'src/checks': ['src/core'],
  'src/terminal': ['src/core'],
  'native/locked-memory': [],
  'native/peer-credentials': [],
  // All that a window imports.
  'src/local-api': ['src/core'],
  // The token host is a child process, and the memory that holds a PIN comes from an addon.
  'src/token': [...MESSAGES, 'src/programs', 'native/locked-memory'],

  // A slice as an operator elsewhere has it.
  'src/operator-client': [...MESSAGES, 'src/token'],

  // The laptop, without an operating system in it. It never meets the slice.
  'src/laptop/system': MESSAGES,
  'src/laptop/exchange': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/gateway-client': [...MESSAGES, 'src/laptop/system', 'src/laptop/exchange'],
  'src/laptop/fingerprint': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/tunnel': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/fleet-agent': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/sign-in': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/update': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/recovery-key': [...MESSAGES, 'src/laptop/system'],
  'src/laptop/pipeline': ['src/core'],
  'src/laptop/state': [...MESSAGES, 'src/laptop/pipeline'],
  'src/laptop/standing': [...MESSAGES, 'src/laptop/system', ...DOMAINS, 'src/laptop/state'],
  'src/laptop/checks': [
    ...[...MESSAGES, 'src/checks', 'src/laptop/system', ...DOMAINS, 'src/laptop/state', 'src/laptop/standing'],
  ],
  'src/laptop/enrollment': [
    ...[...MESSAGES, 'src/token', 'src/laptop/system', ...DOMAINS, ...RUNS],
    'src/laptop/checks',
  ],
  'src/laptop/claim': [...MESSAGES, 'src/laptop/system', ...RUNS, 'src/laptop/enrollment'],
  'src/laptop/upkeep': [...MESSAGES, 'src/laptop/system', ...DOMAINS, ...RUNS, 'src/laptop/enrollment'],
  'src/laptop/doctor': [
    ...[...MESSAGES, 'src/laptop/system', ...DOMAINS, ...RUNS, 'src/laptop/checks', 'src/laptop/enrollment'],
    'src/laptop/upkeep',
  ],
  'src/laptop/support': [
    ...[...MESSAGES, 'src/laptop/system', ...DOMAINS, ...RUNS, 'src/laptop/checks', 'src/laptop/doctor'],
    'src/laptop/enrollment',
  ],
  'src/laptop/service': [
    ...[...MESSAGES, 'src/local-api', 'src/token', 'src/laptop/system', ...DOMAINS, ...RUNS, 'src/laptop/checks'],
    ...['src/laptop/enrollment', 'src/laptop/upkeep', 'src/laptop/doctor', 'src/laptop/support'],
  ],

  'src/laptop/lending': [
    ...[...MESSAGES, 'src/local-api', 'src/token', 'src/laptop/system', 'src/laptop/exchange'],
    'src/laptop/enrollment',
  ],

  // The operating systems implement `system` with the renderers and decisions of the domains, and know of no plan.
  'platform/unsupported': ['src/core', 'src/laptop/system'],
  'platform/unix': [...MESSAGES, 'src/programs', 'src/laptop/system', ...DOMAINS],
  'platform/linux': [
    ...[...MESSAGES, 'src/programs', 'src/laptop/system', ...DOMAINS],
    ...['platform/unix', 'platform/unsupported'],
  ],
  'platform/macos': [
    ...[...MESSAGES, 'src/programs', 'src/laptop/system', ...DOMAINS],
    ...['platform/unix', 'platform/unsupported'],
  ],
  'platform/windows': [...MESSAGES, 'src/programs', 'src/laptop/system', ...DOMAINS, 'platform/unsupported'],
  'platform/select.ts': [
    ...['platform/linux', 'platform/macos', 'platform/windows', 'platform/unsupported'],
    'src/laptop/system',
  ],

  // The slice judges what laptops send, so it shares no code with them beyond the messages.
  'src/slice/config': MESSAGES,
  'src/slice/decisions': [...MESSAGES, 'src/slice/config'],
  'src/slice/registry': [...MESSAGES, 'src/slice/config', 'src/slice/decisions'],
  'src/slice/registry/sqlite': [...MESSAGES, 'src/slice/config', 'src/slice/decisions', 'src/slice/registry'],
  // One file chooses what is behind the interface; nobody else sees it.
  'src/slice/open-registry.ts': ['src/slice/config', 'src/slice/registry', 'src/slice/registry/sqlite'],
  'src/slice/audit': [...MESSAGES, 'src/slice/config', 'src/slice/decisions', 'src/slice/registry'],
  'src/slice/ca': [...MESSAGES, 'src/programs', 'src/slice/config'],
  'src/slice/endpoint': [...MESSAGES, 'src/programs', 'src/slice/config'],
  'src/slice/fleet': [...MESSAGES, 'src/slice/config', 'src/slice/decisions'],
  'src/slice/directory': [...MESSAGES, 'src/programs', 'src/slice/config'],
  // The gateway's page for people.
  'src/slice/welcome': [...MESSAGES, 'src/slice/config'],
  'src/slice/slice-context.ts': [
    ...['src/core', 'src/slice/config', 'src/slice/registry', 'src/slice/ca', 'src/slice/endpoint', 'src/slice/fleet'],
    ...['src/slice/welcome', 'src/slice/audit', 'src/slice/directory'],
  ],
  'src/slice/upkeep': [...MESSAGES, 'src/slice/decisions', 'src/slice/registry', 'src/slice/slice-context.ts'],
  'src/slice/approvals': [...MESSAGES, 'src/slice/config', 'src/slice/decisions', 'src/slice/registry'],
  'src/slice/enrollment': [
    ...MESSAGES,
    ...['src/slice/config', 'src/slice/decisions', 'src/slice/registry', 'src/slice/ca', 'src/slice/slice-context.ts'],
    ...['src/slice/upkeep', 'src/slice/approvals'],
  ],
  'src/slice/claim': [
    ...[...MESSAGES, 'src/slice/decisions', 'src/slice/registry', 'src/slice/slice-context.ts', 'src/slice/enrollment'],
  ],
  'src/slice/device': [
    ...MESSAGES,
    ...['src/slice/decisions', 'src/slice/registry', 'src/slice/ca', 'src/slice/slice-context.ts', 'src/slice/upkeep'],
  ],
  'src/slice/gateway': [
    ...MESSAGES,
    ...['src/slice/config', 'src/slice/decisions', 'src/slice/registry', 'src/slice/slice-context.ts'],
    ...['src/slice/enrollment', 'src/slice/claim', 'src/slice/device', 'src/slice/welcome'],
  ],
  // The provider's root: what is done with it, wherever it is.
  'src/provider': [...MESSAGES, 'src/token', 'src/slice/config'],
  'src/slice/intermediate': [
    ...[...MESSAGES, 'src/provider', 'src/slice/config', 'src/slice/open-registry.ts', 'src/slice/ca'],
    ...['src/slice/approvals'],
  ],
  'src/slice/init': [
    ...[...MESSAGES, 'src/provider', 'src/slice/config', 'src/slice/open-registry.ts', 'src/slice/ca'],
    'src/slice/intermediate',
  ],
  'src/slice/backup': [...MESSAGES, 'src/slice/config', 'src/slice/registry', 'src/slice/open-registry.ts'],
  'src/slice/operator': [
    ...MESSAGES,
    ...['src/slice/config', 'src/slice/decisions', 'src/slice/registry', 'src/slice/open-registry.ts', 'src/slice/ca'],
    ...['src/slice/upkeep', 'src/slice/approvals', 'src/slice/audit', 'src/slice/intermediate'],
  ],
  // The same for operators on other machines.
  'src/slice/operator-api': [
    ...[...MESSAGES, 'src/slice/config', 'src/slice/decisions', 'src/slice/registry'],
    ...['src/slice/operator', 'src/slice/gateway/client-address.ts', 'src/slice/gateway/limit-connections.ts'],
  ],
  'src/slice/run': [
    ...[...MESSAGES, 'src/programs', 'src/slice/config', 'src/slice/open-registry.ts'],
    ...['src/slice/ca', 'src/slice/endpoint', 'src/slice/fleet', 'src/slice/slice-context.ts'],
    ...['src/slice/upkeep', 'src/slice/gateway', 'src/slice/welcome', 'src/slice/audit'],
    'src/slice/operator-api',
    'src/slice/directory',
  ],
  'src/slice/doctor': [
    ...[
      ...MESSAGES,
      'src/checks',
      'src/programs',
      'src/slice/config',
      'src/slice/registry',
      'src/slice/open-registry.ts',
    ],
    ...['src/slice/audit', 'src/slice/ca', 'src/slice/endpoint', 'src/slice/fleet', 'src/slice/run'],
  ],

  // The programs: the only ones that wire an operating system to the rest.
  'src/apps/enroll': [
    ...[...MESSAGES, 'src/terminal', 'src/token', 'platform/select.ts'],
    ...['src/laptop/system', ...RUNS, 'src/laptop/checks', 'src/laptop/enrollment', 'src/laptop/upkeep'],
    ...['src/laptop/doctor', 'src/laptop/support', 'src/laptop/claim'],
    ...['src/local-api', 'src/laptop/exchange', 'src/laptop/lending', 'src/laptop/service'],
  ],
  'src/apps/agent': [
    ...['src/core', 'src/terminal', 'native/peer-credentials', 'platform/select.ts'],
    ...['src/laptop/system', 'src/laptop/state', 'src/laptop/service'],
  ],
  'src/apps/mac-tunnel': ['src/core', 'src/terminal', 'platform/macos'],
  // Of the slice, the operator's program sees two doors only.
  'src/apps/operator': [...MESSAGES, 'src/terminal', 'src/token', 'src/operator-client', ...OPERATOR_DOORS],
  'src/apps/slice': [
    ...['src/core', 'src/programs', 'src/terminal', 'src/provider', 'src/slice/config'],
    ...['src/slice/intermediate', 'src/slice/init', 'src/slice/run', 'src/slice/welcome', 'src/slice/backup'],
    ...['src/slice/open-registry.ts', 'src/slice/ca', 'src/pki'],
    ...['src/slice/doctor', 'src/checks'],
  ],

  'src/apps/msp': [...MESSAGES, 'src/terminal', 'src/token', 'src/provider'],

  // The window has no rights: it asks the agent, and runs the key lender. Its page imports nothing but the view.
  'src/apps/key-lender': [
    ...[...MESSAGES, 'src/terminal', 'src/token', 'platform/select.ts', 'src/local-api'],
    ...['src/laptop/enrollment', 'src/laptop/state', 'src/laptop/lending'],
  ],
  'src/apps/desktop/view': [],
  'src/apps/desktop/main': ['src/core', 'src/local-api', 'src/programs', 'src/apps/desktop/view'],
  'src/apps/desktop/preload': ['src/apps/desktop/view'],
  // Of the core, what a PIN looks like, and the types of the codes.
  'src/apps/desktop/renderer': [
    ...['src/apps/desktop/view', 'src/core/pin-fault.ts', 'src/core/error-codes.ts', 'src/core/slice-codes.ts'],
    'src/core/operator-codes.ts',
  ],

  // What ships, and how it is made.
  'installers/build': ['src/core', 'src/programs', 'src/terminal'],
  'installers/linux/documents': [],
  // Completion and the lists in man pages are made of the commands.
  'installers/linux': [
    ...['installers/build', 'installers/linux/documents', 'src/core', 'src/programs', 'src/terminal', 'src/pki'],
    ...['src/apps/operator/operator-program.ts', 'src/apps/slice/slice-program.ts', 'src/apps/msp/msp-program.ts'],
    'platform/linux/paths.ts',
  ],
  'installers/xml': [],
  'installers/windows': ['src/core', 'src/programs', 'platform/windows/paths.ts', 'installers/xml'],
  'installers/macos': ['src/core', 'src/programs', 'platform/macos', 'installers/xml'],
  'installers/image': [...MESSAGES, 'src/programs', 'src/terminal', 'installers/linux', 'installers/xml'],
  'installers/release': [
    ...[...MESSAGES, 'src/programs', 'src/terminal', 'installers/build', 'installers/linux'],
    ...['installers/windows', 'installers/macos'],
  ],
};

/** Where the linter finds a row's files: not what belongs to a row of its own inside of it. @param {string} folder */
const filesOf = (folder) =>
  Object.keys(DIRECTIONS).some((other) => other.startsWith(`${folder}/`)) ? `./${folder}/*` : `./${folder}`;

/** @param {string} folder */
const message = (folder) => `${folder} may not import this: see test/unit/architecture/directions.js.`;

/** The same for `import-x/no-restricted-paths`, with the project's folder as `basePath`. */
export const LINT_ZONES = Object.entries(DIRECTIONS).flatMap(([folder, allowed]) => [
  {
    target: filesOf(folder),
    from: '.',
    except: [folder, ...allowed, 'node_modules'].map((place) => `./${place}`),
    message: message(folder),
  },
  // Who may import a folder may not by that import a row inside of it.
  ...Object.keys(DIRECTIONS)
    .filter((inner) => inner !== folder && !allowed.includes(inner))
    .filter((inner) => [folder, ...allowed].some((place) => inner.startsWith(`${place}/`)))
    .map((inner) => ({ target: filesOf(folder), from: `./${inner}`, message: message(folder) })),
]);
