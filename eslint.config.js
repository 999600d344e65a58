/**
 * Lint rules: correctness from typescript-eslint and Vue, and the habits of the house that a machine can check.
 *
 * Formatting is Prettier's, levels are dependency-cruiser's (.dependency-cruiser.cjs).
 */
import globals from 'globals';
import tsdoc from 'eslint-plugin-tsdoc';
import vue from 'eslint-plugin-vue';
import accessibility from 'eslint-plugin-vuejs-accessibility';
import tseslint from 'typescript-eslint';
import vueParser from 'vue-eslint-parser';

/** Nothing in the program speaks to a network; what loads first only takes these away. */
const NETWORK_MODULES = ['net', 'tls', 'dgram', 'dns', 'dns/promises', 'http', 'https', 'http2'];

const networkPaths = NETWORK_MODULES.flatMap((name) => [name, `node:${name}`]).map((name) => ({
  name,
  message: 'Tempograd works offline: no module may open a connection.',
}));

const ipcMainPath = {
  name: 'electron',
  importNames: ['ipcMain'],
  message: 'src/main/ipc.ts is the only file that names ipcMain: every message is checked there.',
};

/** Files kebab-case, Vue components PascalCase, as architecture.md asks. */
const fileNames = {
  meta: { type: 'problem', schema: [] },
  create: (context) => ({
    Program: (node) => {
      const name = context.filename.split(/[\\/]/).at(-1).replace(/^\./, '');
      const isComponent = name.endsWith('.vue');
      const pattern = isComponent ? /^[A-Z][A-Za-z0-9]*\.vue$/ : /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/;
      if (!pattern.test(name)) {
        const wanted = isComponent ? 'PascalCase' : 'kebab-case';
        context.report({ node, message: `File name ${name} is not ${wanted}.` });
      }
      if (/^utils?\./.test(name)) context.report({ node, message: 'A file is named by what it holds, not utils.' });
    },
  }),
};

/** Formulas stand in docstrings as plain text: h_{t-1}, R <- R A, s > t. TSDoc would have every brace escaped. */
const FORMULA_MESSAGES = new Set([
  'tsdoc-malformed-inline-tag',
  'tsdoc-escape-right-brace',
  'tsdoc-escape-greater-than',
  'tsdoc-malformed-html-name',
]);

const tsdocBesideFormulas = {
  meta: tsdoc.rules.syntax.meta,
  create: (context) => {
    const report = (problem) => {
      if (!FORMULA_MESSAGES.has(problem.messageId)) context.report(problem);
    };
    return tsdoc.rules.syntax.create(Object.create(context, { report: { value: report } }));
  },
};

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only: a name is searched for once and found everywhere.',
};

export default tseslint.config(
  {
    ignores: [
      'out/**',
      'dist/**',
      'coverage/**',
      'tempograd-out/**',
      'test-results/**',
      'test/fixtures/**',
      'resources/**',
    ],
  },
  {
    files: ['**/*.{ts,vue,js,mjs,cjs}'],
    plugins: { house: { rules: { 'file-names': fileNames, 'tsdoc-syntax': tsdocBesideFormulas } } },
    languageOptions: { globals: globals.node },
    rules: {
      'house/file-names': 'error',
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-constant-binary-expression': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-unused-private-class-members': 'error',
      'no-useless-escape': 'error',
      'no-fallthrough': 'error',
      'no-warning-comments': ['error', { terms: ['fixme', 'xxx', 'hack'] }],
    },
  },
  ...tseslint.configs.recommended.map((config) => ({ ...config, files: ['**/*.{ts,vue}'] })),
  {
    files: ['**/*.{ts,vue}'],
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // Type-aware rules where a mistake would hide: a promise nobody waits for, a case nobody handles.
    files: ['src/**/*.ts'],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.node.json', './tsconfig.web.json'],
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      'house/tsdoc-syntax': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'no-restricted-syntax': ['error', noDefaultExport],
      'no-restricted-imports': ['error', { paths: [...networkPaths, ipcMainPath] }],
    },
  },
  {
    files: ['src/host/network-guard.ts', 'src/host/block-network.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: [ipcMainPath] }] },
  },
  {
    files: ['src/main/ipc.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: networkPaths }] },
  },
  {
    files: ['test/**/*.ts'],
    ignores: ['**/*.config.ts'],
    rules: { 'no-restricted-syntax': ['error', noDefaultExport] },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
  },
  ...vue.configs['flat/essential'].map((config) => ({ ...config, files: ['**/*.vue'] })),
  ...accessibility.configs['flat/recommended'].map((config) => ({ ...config, files: ['**/*.vue'] })),
  {
    files: ['**/*.vue'],
    languageOptions: {
      parser: vueParser,
      parserOptions: { parser: tseslint.parser, sourceType: 'module' },
      globals: globals.browser,
    },
    rules: {
      'vue/multi-word-component-names': 'off',
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/no-v-html': 'error',
      'vue/no-unused-refs': 'error',
      'vue/require-typed-ref': 'error',
      'vue/define-emits-declaration': ['error', 'type-based'],
      'vue/define-props-declaration': ['error', 'type-based'],
      // `hover` is an event of the picture frame; what it shows stands in the table beside every picture.
      'vuejs-accessibility/mouse-events-have-key-events': 'off',
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
    },
  },
);
