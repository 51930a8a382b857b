/** Who may import whom. Every message says where the code should go instead. */

const tests = '\\.test\\.tsx?$'

/** A layer that may import only itself and the layers in `allowed`. */
const layer = (name, allowed, comment) => ({
  name: `layer-${name}`,
  severity: 'error',
  comment,
  from: { path: `^src/${name}/`, pathNot: tests },
  to: { path: '^src/', pathNot: `^src/(${[name, ...allowed].join('|')})/` },
})

const domains = ['pki', 'ssh', 'sshd', 'transfer', 'registry', 'repositories', 'backups', 'terminals']

/** A level of the engine that must not know the folders in `above`. */
const below = (folder, above, comment) => ({
  name: `engine-${folder}`,
  severity: 'error',
  comment,
  from: { path: `^src/engine/${folder}/`, pathNot: tests },
  to: { path: `^src/engine/(${above.join('|')})(/|$)` },
})

const hosts = ['runs', 'rollouts', 'scheduler', 'gateway', 'api', 'engine\\.ts']

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    layer('shared', [], 'shared/ is what both sides agree on: move what needs more than zod to core/ or platform/.'),
    layer('core', ['shared'], 'core/ decides purely: leave the I/O in engine/ and hand its result in as an argument.'),
    layer('platform', ['shared'], 'platform/ knows no domain: move what knows runs or nodes to engine/.'),
    layer(
      'engine',
      ['shared', 'core', 'platform'],
      'The engine knows no host: have the host pass it in through createEngine (engine/ports.ts).',
    ),
    layer(
      'demo',
      ['shared', 'platform'],
      'The demo fleet is a set of machines: let daemon/ or cli/ introduce it to the engine.',
    ),
    layer(
      'daemon',
      ['shared', 'platform', 'engine', 'demo'],
      'The daemon only hosts: move decisions to core/, work to engine/.',
    ),
    layer(
      'cli',
      ['shared', 'core', 'platform', 'daemon', 'demo'],
      'The command line is a client: ask the engine through the contract in shared/contract.',
    ),
    layer(
      'agent',
      ['shared', 'core', 'platform'],
      'The agent is one file for hosts without an engine: share through core/ and platform/.',
    ),
    layer('preload', ['shared'], 'The preload only hands over a port: move the rest to renderer/ or main/.'),
    layer(
      'renderer',
      ['shared', 'core'],
      'The page is a client: ask the engine through renderer/api, share pure code through core/.',
    ),
    {
      name: 'layer-main',
      severity: 'error',
      comment:
        'The main process has no business logic: talk to the engine through its port. Only main/engineProcess.ts hosts it.',
      from: { path: '^src/main/', pathNot: ['^src/main/engineProcess\\.ts$', tests] },
      to: { path: '^src/', pathNot: '^src/(main|shared|platform)/' },
    },
    {
      name: 'layer-engine-process',
      severity: 'error',
      comment:
        'main/engineProcess.ts hosts the engine: it may import engine/, daemon/ and demo/, never the window side.',
      from: { path: '^src/main/engineProcess\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(main|shared|platform|engine|daemon|demo)/' },
    },
    {
      name: 'electron-only-in-its-host',
      severity: 'error',
      comment: 'Only main/ and preload/ know electron: pass what is needed through a port.',
      from: { path: '^src/', pathNot: ['^src/(main|preload)/', tests] },
      to: { path: '^(electron|node_modules/electron)(/|$)' },
    },
    {
      name: 'react-only-in-renderer',
      severity: 'error',
      comment: 'React belongs to renderer/.',
      from: { path: '^src/', pathNot: '^src/renderer/' },
      to: { path: '^node_modules/(react|react-dom)/' },
    },
    {
      name: 'no-node-in-pure-code',
      severity: 'error',
      comment:
        'shared/, core/ and renderer/ run where there is no Node: do the I/O in platform/ or engine/ and pass the result.',
      from: { path: '^src/(shared|core|renderer)/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'shared-needs-zod-only',
      severity: 'error',
      comment: 'shared/ may use zod and the contract builder only: put other libraries behind engine/ or renderer/.',
      from: { path: '^src/shared/', pathNot: tests },
      to: { path: '^node_modules/', pathNot: '^node_modules/(zod|@orpc/contract)/' },
    },
    {
      name: 'core-needs-no-io-library',
      severity: 'error',
      comment: 'core/ is pure: wrap this library in platform/ or engine/.',
      from: { path: '^src/core/', pathNot: tests },
      to: { path: '^node_modules/', pathNot: '^node_modules/(zod|yaml)/' },
    },
    {
      name: 'engine-domains-apart',
      severity: 'error',
      comment:
        'Domain folders of the engine do not import each other: meet in engine/runs/executors/, or share through engine/ports.ts.',
      from: { path: `^src/engine/(${domains.join('|')})/`, pathNot: tests },
      to: { path: `^src/engine/(${domains.join('|')})/`, pathNot: '^src/engine/$1/' },
    },
    below(
      'store',
      [...domains, 'fleet', ...hosts],
      'The store is the bottom of the engine: move what knows a domain upwards.',
    ),
    ...[...domains, 'fleet'].map((folder) =>
      below(folder, hosts, 'A domain does not know runs, schedules or transports: let engine/runs call it.'),
    ),
    below(
      'runs',
      ['rollouts', 'scheduler', 'gateway', 'api', 'engine\\.ts'],
      'Runs are asked for, they do not ask: move the trigger to engine/scheduler or engine/api.',
    ),
    below(
      'rollouts',
      ['scheduler', 'gateway', 'api', 'engine\\.ts'],
      'A rollout asks for runs: what asks for rollouts belongs to engine/scheduler or engine/api.',
    ),
    below('scheduler', ['gateway', 'api', 'engine\\.ts'], 'The scheduler knows no transport: let engine/api call it.'),
    below('api', ['engine\\.ts'], 'engine.ts puts the parts together: take the part as an argument.'),
    {
      name: 'product-without-tests',
      severity: 'error',
      comment: 'The product does not depend on test code: move what both need into src/.',
      from: { path: '^src/', pathNot: tests },
      to: { path: '^(test|e2e|bench|scripts)/' },
    },
    {
      name: 'shipped-dependencies-only',
      severity: 'error',
      comment:
        'The package ships dependencies, not devDependencies: move the library in package.json, or use it in renderer/ only.',
      from: { path: '^src/', pathNot: ['^src/renderer/', tests] },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: '^node_modules/(electron|@types)/',
      },
    },
    {
      name: 'no-circles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or lack a third one that both may import.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'This import points nowhere.',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(electron|.*\\?.*)$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig/base.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
      conditionNames: ['import', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
}
