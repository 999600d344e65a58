/** The Keras fixtures: model files with what the framework and an outside autodiff in float64 say of them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunData } from '../../src/analysis/size-run';
import type { RealTensor, Tensor } from '../../src/core/tensor';
import type { RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';
import type { UserChoices } from '../../src/readers/reading';
import type { RunRequest } from '../../src/shared/run';
import { readNpz, type NpyArray } from './read-npz';

const FOLDER = fileURLToPath(new URL('../fixtures/keras', import.meta.url));

/** `fixture.json`. */
export interface FixtureDescription {
  readonly name: string;
  readonly file: string;
  readonly format: string;
  readonly weightsOnly: boolean;
  readonly layer: string;
  readonly kind: string;
  readonly units: number;
  readonly inputDim: number;
  readonly direction: string;
  readonly wrt: RunRequest['wrt'];
  readonly input: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly hasCell: boolean;
  /** A file beside the model: the architecture of a weights-only one, or a shard. */
  readonly companion?: string;
}

/** A fixture with its files. */
export interface KerasFixture extends FixtureDescription {
  readonly modelPath: string;
  readonly bytes: Buffer;
  readonly expected: Map<string, NpyArray>;
}

/** Names of all fixtures. */
export function kerasFixtureNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => existsSync(join(FOLDER, name, 'fixture.json')))
    .sort();
}

/** A fixture by name. */
export function loadKerasFixture(name: string): KerasFixture {
  return loadFixtureFolder(join(FOLDER, name));
}

/** The fixture that a folder holds: `fixture.json`, `expected.npz` and the model. */
export function loadFixtureFolder(folder: string): KerasFixture {
  const description = JSON.parse(readFileSync(join(folder, 'fixture.json'), 'utf8')) as FixtureDescription;
  const modelPath = join(folder, description.file);
  return {
    ...description,
    modelPath,
    bytes: readFileSync(modelPath),
    expected: readNpz(readFileSync(join(folder, 'expected.npz'))),
  };
}

/** What a fixture says of cells whose file does not store it. */
export function choicesOf({ options }: KerasFixture): UserChoices {
  return {
    activation: (options['activation'] as string | undefined) ?? null,
    recurrentActivation: (options['recurrent-activation'] as string | undefined) ?? null,
    resetAfter: (options['reset-after'] as boolean | undefined) ?? null,
  };
}

/** The model of a fixture, read with the options that it names. */
export function readFixtureModel(fixture: KerasFixture): Promise<RecurrentModel> {
  return readModel(memorySource(fixture.bytes), fixture.file, {
    ...choicesOf(fixture),
    openBeside: (name) =>
      name === fixture.companion ? memorySource(readFileSync(join(FOLDER, fixture.name, name))) : null,
  });
}

/** The request that a fixture stands for, and the arrays it is run on. */
export function fixtureRun(
  fixture: KerasFixture,
  engine: RunRequest['engine'],
): { request: RunRequest; data: RunData } {
  const { options, expected } = fixture;
  const real = (name: string): RealTensor | null => (expected.get(name) as RealTensor | undefined) ?? null;
  const usesMask = options['mask'] !== undefined;
  const usesState = options['initial-state'] !== undefined;
  const h0 = usesState ? real('h0') : null;
  return {
    request: {
      layer: fixture.layer,
      wrt: fixture.wrt,
      atLayer: options['at-layer'] === true,
      input: { kind: 'file', path: 'input.npy', key: null, header: null },
      maskFile: usesMask ? 'mask.npy' : null,
      initialStateFile: usesState ? 'state.npz' : null,
      modes: ['diagonal', 'final', 'states'],
      engine,
      warmUp: null,
      span: null,
      exact: true,
      maxSeconds: null,
      maxMemoryBytes: null,
    },
    data: {
      input: expected.get('input') as Tensor,
      mask: usesMask ? (expected.get('mask') as Tensor) : null,
      initialState: h0 ? { h0, c0: real('c0') } : null,
    },
  };
}
