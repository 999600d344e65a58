/** A run of one layer that stands alone, for tests of what a run gives. */
import type { AnalysisOrder } from '../../src/analysis/analyze';
import type { CellDescription, RecurrentModel } from '../../src/core/model';
import type { Tensor } from '../../src/core/tensor';
import { wholeSequence } from '../../src/core/whole-sequence';
import type { RunRequest } from '../../src/shared/run';

/** What a test asks of its run. */
export interface OrderOptions {
  readonly request: Partial<RunRequest> & Pick<RunRequest, 'engine' | 'modes'>;
  readonly steps: number;
  readonly batch: number;
  /** `[B, T]` */
  readonly mask?: Uint8Array | null;
  readonly initialState?: AnalysisOrder['data']['initialState'];
}

/** The run of a layer of one or two cells on random input. */
export function orderOf(
  forward: CellDescription | null,
  backward: CellDescription | null,
  { request, steps, batch, mask = null, initialState = null }: OrderOptions,
): AnalysisOrder {
  const model: RecurrentModel = {
    format: 'test',
    producer: 'test',
    layers: [
      {
        name: 'memory',
        className: 'test',
        operation: { ...wholeSequence(forward), backward },
        inputs: [],
        weights: [],
        origin: { path: 'memory', sourceGateOrder: [] },
      },
    ],
    inputs: [],
    assumptions: [],
    warnings: [],
  };
  const maskTensor: Tensor | null = mask && { shape: [batch, steps], data: mask };
  return {
    model,
    source: { format: 'test', producer: 'test', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'layer-input', atLayer: true, maskFile: null, initialStateFile: null },
      input: { kind: 'random', steps, batch, seed: 0 },
      ...{ warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
      ...request,
    },
    data: { input: null, mask: maskTensor, initialState },
  };
}
