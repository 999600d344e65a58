/**
 * The fence between the levels of the house.
 *
 * A level imports only lower levels, never a sibling on its own level; the few exceptions of single packages and files
 * are rules of their own below. `test/architecture` runs this file.
 */

/** Folders of src by level; level 0 is core. */
const LEVELS = [
  ['core'],
  ['readers', 'engine', 'charts', 'shared'],
  ['analysis', 'export', 'host'],
  ['cli', 'main', 'preload', 'renderer'],
];

/** For each folder one rule: what of src it must not import. */
const levelRules = LEVELS.flatMap((folders, level) =>
  folders.map((folder) => {
    const allowed = [folder, ...LEVELS.slice(0, level).flat()];
    return {
      name: `level-of-${folder}`,
      comment: `src/${folder} may import ${allowed.join(', ')} only`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: `^src/(${allowed.join('|')})/` },
    };
  }),
);

/** A package (as a path below node_modules) that only some files may import. */
function only(name, packages, from, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: '^src/', pathNot: from },
    to: { path: packages },
  };
}

module.exports = {
  forbidden: [
    ...levelRules,
    {
      name: 'no-cycles',
      comment: 'import cycles, types included, hide which part is the lower one',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'core-is-pure',
      comment: 'src/core has one dependency, ml-matrix, and no environment',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/|^node_modules/ml-matrix/' },
    },
    {
      name: 'src-imports-src',
      comment: 'what ships does not import tests, scripts or samples',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|resources|docs)/' },
    },
    {
      name: 'no-environment-below',
      comment: 'readers, charts and shared know neither Node nor Electron; inflating bytes is no environment',
      severity: 'error',
      from: { path: '^src/(readers|charts|shared)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|stream|zlib)$' },
    },
    {
      name: 'renderer-is-a-page',
      comment: 'the window knows the contract, the charts and the core, never Node, Electron or the engine',
      severity: 'error',
      from: { path: '^src/renderer/' },
      to: { path: '^src/(engine|readers|analysis|export|host)/|^node_modules/electron/' },
    },
    {
      name: 'renderer-has-no-node',
      comment: 'the window is a sandboxed page',
      severity: 'error',
      from: { path: '^src/renderer/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'preload-is-the-contract',
      comment: 'the preload script exposes the contract and nothing else',
      severity: 'error',
      from: { path: '^src/preload/' },
      to: { path: '^src/', pathNot: '^src/(preload|shared|core)/' },
    },
    {
      name: 'formats-stand-alone',
      comment: 'one file format knows containers and dialects, never another format',
      severity: 'error',
      from: { path: '^src/readers/formats/([^/.]+)' },
      to: { path: '^src/readers/formats/', pathNot: '^src/readers/formats/($1[/.]|format\\.ts$)' },
    },
    {
      name: 'containers-stand-below',
      comment: 'containers know bytes, not models',
      severity: 'error',
      from: { path: '^src/readers/containers/' },
      to: { path: '^src/readers/(formats|dialects)/' },
    },
    only('tensorflow-home', '^node_modules/@tensorflow/', '^src/engine/', 'src/engine is the only home of TensorFlow'),
    only('ml-matrix-home', '^node_modules/ml-matrix/', '^src/core/linalg/decompositions\\.ts$', 'one thin file'),
    only('hdf5-home', '^node_modules/(h5wasm|yauzl)/', '^src/readers/containers/', 'containers only'),
    only('electron-home', '^node_modules/electron/|^electron$', '^src/(main|preload)/', 'main and preload only'),
    only('vue-home', '^node_modules/(vue|pinia|@vue|reka-ui)/', '^src/renderer/', 'the window only'),
    {
      name: 'not-to-unresolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(virtual:|electron$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|dist|coverage|test/fixtures)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.node.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.vue', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
