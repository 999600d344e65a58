/** The fence between the levels holds, and it bites: each rule is seen to refuse what it is there for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './source-files';

interface Fence {
  readonly forbidden: IForbiddenRuleType[];
  readonly options: ICruiseOptions;
}

const fence = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as Fence;

/** "rule: from -> to" for every violation below `baseDir`. */
async function violations(baseDir: string): Promise<readonly string[]> {
  const { output } = await cruise(
    ['src'],
    { ...fence.options, tsConfig: undefined, baseDir, validate: true, ruleSet: { forbidden: fence.forbidden } },
    undefined,
    {},
  );
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

describe('the levels', () => {
  it('are kept by everything in src', async () => {
    expect(await violations(ROOT)).toEqual([]);
  }, 120_000);
});

describe('the fence', () => {
  /** File to import to the rule that refuses it. */
  const OFFENCES: readonly [file: string, imported: string, rule: string][] = [
    ['src/core/offence.ts', '../engine/target', 'level-of-core'],
    ['src/core/pure.ts', 'node:fs', 'core-is-pure'],
    ['src/readers/offence.ts', '../engine/target', 'level-of-readers'],
    ['src/readers/environment.ts', 'node:fs', 'no-environment-below'],
    ['src/engine/offence.ts', '../readers/target', 'level-of-engine'],
    ['src/charts/offence.ts', '../shared/target', 'level-of-charts'],
    ['src/analysis/offence.ts', '../export/target', 'level-of-analysis'],
    ['src/export/offence.ts', '../host/target', 'level-of-export'],
    ['src/host/offence.ts', '../analysis/target', 'level-of-host'],
    ['src/cli/offence.ts', '../main/target', 'level-of-cli'],
    ['src/main/offence.ts', '../cli/target', 'level-of-main'],
    ['src/preload/offence.ts', '../engine/target', 'preload-is-the-contract'],
    ['src/renderer/offence.ts', '../engine/target', 'renderer-is-a-page'],
    ['src/renderer/environment.ts', 'node:path', 'renderer-has-no-node'],
    ['src/readers/formats/first.ts', './second', 'formats-stand-alone'],
    ['src/readers/containers/offence.ts', '../formats/second', 'containers-stand-below'],
    ['src/core/circle-a.ts', './circle-b', 'no-cycles'],
    ['src/core/lost.ts', './nowhere', 'not-to-unresolvable'],
    ['src/readers/tensors.ts', '@tensorflow/tfjs-core', 'tensorflow-home'],
    ['src/core/linalg/products.ts', 'ml-matrix', 'ml-matrix-home'],
    ['src/readers/formats/archive.ts', 'yauzl', 'hdf5-home'],
    ['src/host/window.ts', 'electron', 'electron-home'],
    ['src/charts/component.ts', 'vue', 'vue-home'],
  ];
  const TARGETS = ['engine', 'readers', 'shared', 'export', 'host', 'analysis', 'main', 'cli'].map(
    (folder) => `src/${folder}/target.ts`,
  );
  const baseDir = mkdtempSync(join(tmpdir(), 'tempograd-fence-'));
  let found: readonly string[] = [];

  beforeAll(async () => {
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(baseDir, file)), { recursive: true });
      writeFileSync(join(baseDir, file), text);
    };
    for (const [file, imported] of OFFENCES) write(file, `import '${imported}';\n`);
    for (const name of ['@tensorflow/tfjs-core', 'ml-matrix', 'yauzl', 'electron', 'vue']) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
      write(`node_modules/${name}/index.js`, 'module.exports = {};\n');
    }
    for (const file of [...TARGETS, 'src/readers/formats/second.ts']) write(file, 'export const target = 1;\n');
    write('src/core/circle-b.ts', "import './circle-a';\n");
    found = await violations(baseDir);
  }, 60_000);

  afterAll(() => {
    rmSync(baseDir, { recursive: true });
  });

  it.each(OFFENCES)('%s may not import %s (%s)', (file, _imported, rule) => {
    expect(found.some((violation) => violation.startsWith(`${rule}: ${file} -> `))).toBe(true);
  });
});
