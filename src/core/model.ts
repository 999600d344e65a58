/**
 * The one inner form of a model, whatever file it came from.
 *
 * Layers stand in topological order and refer to one another by index; nested models, wrappers and stacked cells are
 * flattened by the reader, which also keeps the file's own names as `origin`. Vocabulary and weight layout are those
 * of Keras: kernels `[D, G*H]`, gate blocks i f c o and z r h.
 * This file knows nothing of files, engines or screens. Long because it is one form.
 */
import type { ActivationDescription } from './activations';
import type { Direction } from './jacobian';
import type { Slice } from './sliced-places';
import type { RealTensor } from './tensor';

/** The kinds of recurrent cell. */
export type CellKind = 'SimpleRNN' | 'LSTM' | 'GRU';

/** What all cells have; H units, D size of the input, G gates (1, 4, 3), P size of h: H, or less with a projection. */
interface CellBase {
  readonly units: number;
  readonly inputDim: number;
  /** `[D, G*H]` */
  readonly kernel: RealTensor;
  /** `[P, G*H]` */
  readonly recurrentKernel: RealTensor;
  /** Of the candidate; of h for a SimpleRNN. */
  readonly activation: ActivationDescription;
  /** ONNX: every pre-activation of a gate is bounded to [-clip, clip] before its activation; null for no bound. */
  readonly clip: number | null;
}

/** h_t = phi(W x + U h + b). */
export interface SimpleRnnCell extends CellBase {
  readonly kind: 'SimpleRNN';
  /** `[H]`, null without bias. */
  readonly bias: RealTensor | null;
}

/** LSTM; blocks in the order i f c o. */
export interface LstmCell extends CellBase {
  readonly kind: 'LSTM';
  /** `[4H]`, null without bias. */
  readonly bias: RealTensor | null;
  readonly recurrentActivation: ActivationDescription;
  /** psi of h_t = o psi(c_t); Keras and PyTorch: the same as `activation`. */
  readonly outputActivation: ActivationDescription;
  /** `[3H]`, blocks i f o: i and f see p c_{t-1}, o sees p c_t; null without peepholes. */
  readonly peepholes: RealTensor | null;
  /** `[H, P]`: h_t = (o psi(c_t)) projection, P units of h; null without projection. */
  readonly projection: RealTensor | null;
  /** The forget gate is 1 - i, and the kernels' block f has no effect. */
  readonly inputForget: boolean;
}

/** The options of an LSTM that Keras does not know, at their neutral values. */
export const PLAIN_LSTM = { clip: null, peepholes: null, projection: null, inputForget: false } as const;

/** Keras GRU; blocks in the order z r h. */
export interface GruCell extends CellBase {
  readonly kind: 'GRU';
  /** `[2, 3H]` (input row, recurrent row) with resetAfter, `[3H]` without; null without bias. */
  readonly bias: RealTensor | null;
  readonly recurrentActivation: ActivationDescription;
  readonly resetAfter: boolean;
}

/** One recurrent cell with its weights in canonical layout. */
export type CellDescription = SimpleRnnCell | LstmCell | GruCell;

/** An output of a layer: `layer` is an index into `RecurrentModel.layers`. */
export interface ValueRef {
  readonly layer: number;
  /** 0 for all but recurrent layers with returnState: their states follow the sequence output. */
  readonly output: number;
}

/** How the two directions of a Bidirectional layer are joined; `none` gives two outputs. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave' | 'none';

/**
 * A recurrent layer: one cell, or two for a Bidirectional one.
 *
 * Outputs in order: the sequence (or last) output (two of them with merge `none`), then with returnState the states
 * h, (c) of the forward and then of the backward cell.
 */
export interface RecurrentOperation {
  readonly kind: 'recurrent';
  readonly forward: CellDescription | null;
  readonly backward: CellDescription | null;
  readonly mergeMode: MergeMode;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly stateful: boolean;
  /** Keras gives the sequence output of a lone `go_backwards` layer in the order of computing, last step first. */
  readonly outputReversed: boolean;
  /** The sequence output at a masked step is zero instead of the last valid one; the states never are. */
  readonly zeroOutputForMask: boolean;
  /** A TimeDistributed wrapper: axes between batch and time are folded into the batch. */
  readonly timeDistributed: boolean;
  /** Input of the backward cell where it is not the layer's first input (stacked cells in a Bidirectional). */
  readonly backwardInput: ValueRef | null;
  /** h, (c) of the forward, then of the backward cell, from other layers or constants; empty = zeros. */
  readonly initialState: readonly ValueRef[];
  /**
   * Valid steps of each sequence of the batch, stored in the file (ONNX `sequence_lens`); null for all. Steps past the
   * length carry the state, so that the backward direction begins at the last valid step.
   */
  readonly sequenceLengths: readonly number[] | null;
}

/** A layer that the engine can run below a recurrent one; method.md section 5 lists them. */
export type PlainOperation =
  | { readonly kind: 'input'; readonly shape: readonly (number | null)[]; readonly integer: boolean }
  | {
      /** A tensor of the file; no inputs. */
      readonly kind: 'constant';
      /** `[B or 1, ...]`; 1 stands for every sequence of the batch. */
      readonly value: RealTensor;
    }
  | { readonly kind: 'identity' }
  | { readonly kind: 'embedding'; readonly table: RealTensor; readonly maskZero: boolean }
  | { readonly kind: 'masking'; readonly maskValue: number }
  | {
      readonly kind: 'dense';
      readonly kernel: RealTensor;
      readonly bias: RealTensor | null;
      readonly activation: ActivationDescription;
    }
  | { readonly kind: 'activation'; readonly activation: ActivationDescription }
  | { readonly kind: 'prelu'; readonly alpha: RealTensor; readonly sharedAxes: readonly number[] }
  | {
      /** y = x * scale + offset along `axis`: BatchNormalization at inference, Normalization, Rescaling. */
      readonly kind: 'affine';
      readonly axis: number;
      readonly scale: RealTensor;
      readonly offset: RealTensor;
    }
  | {
      readonly kind: 'layer-normalization';
      readonly axes: readonly number[];
      readonly epsilon: number;
      readonly gamma: RealTensor | null;
      readonly beta: RealTensor | null;
      readonly rms: boolean;
    }
  | {
      readonly kind: 'conv1d';
      /** `[size, Din/groups, Dout]` */
      readonly kernel: RealTensor;
      readonly bias: RealTensor | null;
      readonly stride: number;
      readonly dilation: number;
      readonly groups: number;
      readonly padding: 'valid' | 'same' | 'causal';
      readonly activation: ActivationDescription;
    }
  | {
      readonly kind: 'pool1d';
      readonly pooling: 'max' | 'average';
      readonly size: number;
      readonly stride: number;
      readonly padding: 'valid' | 'same';
    }
  | { readonly kind: 'upsampling1d'; readonly size: number }
  | { readonly kind: 'padding1d'; readonly left: number; readonly right: number }
  | { readonly kind: 'cropping1d'; readonly left: number; readonly right: number }
  | {
      /** Entries of one axis, the batch counted as 0; the last ones first when the step is negative. */
      readonly kind: 'slice';
      readonly axis: number;
      readonly slice: Slice;
      /** True where the axis, then of one entry, is taken out. */
      readonly drop: boolean;
    }
  | { readonly kind: 'reshape'; readonly target: readonly number[] }
  | { readonly kind: 'permute'; readonly dims: readonly number[] }
  | { readonly kind: 'flatten' }
  | { readonly kind: 'repeat'; readonly count: number }
  | { readonly kind: 'concatenate'; readonly axis: number }
  | { readonly kind: 'merge'; readonly operation: 'add' | 'subtract' | 'multiply' | 'average' | 'maximum' | 'minimum' }
  | { readonly kind: 'softmax'; readonly axis: number };

/** A layer that is known by name only; what stands above it needs `--at-layer`. */
export interface UnsupportedOperation {
  readonly kind: 'unsupported';
  /** Why, as a sentence for the user. */
  readonly reason: string;
}

/** What a layer computes. */
export type LayerOperation = RecurrentOperation | PlainOperation | UnsupportedOperation;

/** The role of a weight tensor. */
export type WeightRole = 'kernel' | 'recurrent_kernel' | 'bias' | 'peephole' | 'projection' | 'other';

/** A weight tensor as the file names it. */
export interface WeightInfo {
  readonly role: WeightRole;
  /** The file's own name, for display only. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Which direction of a Bidirectional layer it belongs to. */
  readonly direction: Direction | null;
  /** What it holds of its role, where several tensors share it by gates (canonical names); left out for a whole one. */
  readonly part?: {
    readonly gates: readonly string[];
    /** Of a GRU's bias `[2, 3H]`; null for any other. */
    readonly row: 0 | 1 | null;
  };
  /** Blocks of its gates in canonical order, where the cell has them only in a sum with others (PyTorch's two biases). */
  readonly numbers?: RealTensor;
}

/** One layer (or one call of a shared layer) of the flattened graph. */
export interface Layer {
  /** The name that `inspect` prints and `--layer` takes (cli.md, "Names and readings"). */
  readonly name: string;
  /** The class as the file says it: `LSTM`, `Bidirectional`, `Conv1D`. */
  readonly className: string;
  readonly operation: LayerOperation;
  readonly inputs: readonly ValueRef[];
  readonly weights: readonly WeightInfo[];
  /** Where in the file it came from: a path, gate order of the source. */
  readonly origin: { readonly path: string; readonly sourceGateOrder: readonly string[] };
}

/** Something that the file does not say and that was therefore taken as usual. */
export interface Assumption {
  readonly what: string;
  readonly assumed: string;
  readonly why: string;
  /** The option that changes it, empty when none does. */
  readonly change: string;
}

/** Something worth saying that stops nothing. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** A model in canonical form. */
export interface RecurrentModel {
  /** `keras-v3`, `keras-h5`, ... */
  readonly format: string;
  /** As the file says: `Keras 3.15.0`. */
  readonly producer: string;
  /** The loss that the model was compiled with, in the file's own word; left out where it does not say, or is not one. */
  readonly trainingLoss?: string;
  /** Layers in topological order: inputs refer to earlier indices only. */
  readonly layers: readonly Layer[];
  /** Indices of the input layers in the model's own order; empty for weights-only files. */
  readonly inputs: readonly number[];
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly Warning[];
}

/** A layer that can be analysed. */
export type RecurrentLayer = Layer & { readonly operation: RecurrentOperation };

/**
 * True for a layer with a recurrent cell.
 *
 * @param layer - Any layer.
 */
export function isRecurrent(layer: Layer): layer is RecurrentLayer {
  return layer.operation.kind === 'recurrent';
}

/**
 * The cells of a recurrent layer with their directions, forward first.
 *
 * @param operation - The layer's operation; at least one cell is set.
 */
export function cellsOf(
  operation: RecurrentOperation,
): readonly { readonly direction: Direction; readonly cell: CellDescription }[] {
  const cells: { direction: Direction; cell: CellDescription }[] = [];
  if (operation.forward) cells.push({ direction: 'forward', cell: operation.forward });
  if (operation.backward) cells.push({ direction: 'backward', cell: operation.backward });
  return cells;
}

/**
 * P, the number of units of h: H, or the projection's columns.
 *
 * @param cell - The cell.
 */
export function hiddenSize(cell: CellDescription): number {
  return cell.kind === 'LSTM' && cell.projection !== null ? cell.projection.shape[1] : cell.units;
}

/**
 * The gate names of a cell in canonical order: i f g o, z r n, or none.
 *
 * @param kind - Kind of cell; g is the c block of Keras, n its h block.
 */
export function gateNames(kind: CellKind): readonly string[] {
  if (kind === 'LSTM') return ['i', 'f', 'g', 'o'];
  return kind === 'GRU' ? ['z', 'r', 'n'] : [];
}
