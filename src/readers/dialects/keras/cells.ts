/**
 * One recurrent cell: configuration and tensors -> `CellDescription`.
 */
import { z } from 'zod';
import type { ActivationDescription } from '../../../core/activations';
import type { Direction } from '../../../core/jacobian';
import { PLAIN_LSTM, type CellDescription, type CellKind } from '../../../core/model';
import type { JsonObject, JsonValue } from '../../json';
import { readActivation } from './activations';
import { assumeNoDropout, parseConfig, positiveCount, type KerasContext } from './context';
import { convertCudnnGru, convertCudnnLstm } from './cudnn';
import { slot, type WeightReader } from './weight-reader';
import { hasOldDefaults } from './writer';
import { assume, unsupported } from '../../reading';

/** Classes of layers and cells that are one recurrent cell. */
const KINDS: Readonly<Record<string, CellKind>> = {
  SimpleRNN: 'SimpleRNN',
  SimpleRNNCell: 'SimpleRNN',
  LSTM: 'LSTM',
  LSTMCell: 'LSTM',
  CuDNNLSTM: 'LSTM',
  GRU: 'GRU',
  GRUCell: 'GRU',
  CuDNNGRU: 'GRU',
};

const GATE_COUNT: Readonly<Record<CellKind, number>> = { SimpleRNN: 1, LSTM: 4, GRU: 3 };

const cellSchema = z.object({
  units: positiveCount,
  use_bias: z.boolean().default(true),
  reset_after: z.boolean().optional(),
  dropout: z.number().nullish(),
  recurrent_dropout: z.number().nullish(),
});

/**
 * The kind of cell that a class is, null for any other class.
 *
 * @param className - `LSTM`, `GRUCell` ..
 */
export function cellKind(className: string): CellKind | null {
  return Object.hasOwn(KINDS, className) ? (KINDS[className] as CellKind) : null;
}

/** Where a cell's tensors are and whose they are. */
export interface CellPlace {
  readonly layer: string;
  /** Part of the layer's variables: `cell`, `forward_layer/cell` .. */
  readonly part: string;
  /** Of a Bidirectional layer, else null. */
  readonly direction: Direction | null;
}

/**
 * The cell that a layer or cell configuration describes.
 *
 * @param className - `LSTM`, `LSTMCell`, `CuDNNLSTM` ..
 * @param config - Its configuration.
 * @param place - Where its tensors are.
 * @param weights - The layer's tensors.
 * @param context - The reading.
 * @throws TempogradError `cell/unsupported`, `cell/shape-mismatch`, `reader/corrupt`.
 */
export async function readCell(
  className: string,
  config: JsonObject,
  place: CellPlace,
  weights: WeightReader,
  context: KerasContext,
): Promise<CellDescription> {
  const kind = cellKind(className);
  if (kind === null)
    throw unsupported(`its cell is of the class ${className}, which is not a SimpleRNN, LSTM or GRU cell of Keras`);
  const described = parseConfig(cellSchema, config, place.layer);
  const units = weights.believedSize(place.part, 'recurrent_kernel', 0, described.units);
  const settings = { ...described, units };
  sayDropout(settings.dropout, settings.recurrent_dropout, context);
  const isCudnn = className.startsWith('CuDNN');
  if (isCudnn) return readCudnnCell(kind, settings.units, place, weights);
  const gates = GATE_COUNT[kind] * settings.units;
  const kernels = await weights.take(
    place.part,
    [
      slot('kernel', 'kernel', [null, gates]),
      slot('recurrent_kernel', 'recurrent_kernel', [settings.units, gates]),
      ...biasSlot(settings, kind, gates),
    ],
    place.direction,
  );
  const [kernel, recurrentKernel, bias = null] = kernels;
  if (!kernel || !recurrentKernel) throw new Error('two kernels were asked for');
  const base = {
    units: settings.units,
    inputDim: kernel.shape[0] ?? 0,
    kernel,
    recurrentKernel,
    bias,
    activation: readActivation(config['activation'] === undefined ? 'tanh' : config['activation'], context.writer),
    clip: null,
  };
  if (kind === 'SimpleRNN') return { kind, ...base };
  const recurrentActivation = readRecurrentActivation(config['recurrent_activation'], place.layer, context);
  if (kind === 'LSTM') {
    return { kind, ...base, ...PLAIN_LSTM, recurrentActivation, outputActivation: base.activation };
  }
  const resetAfter = bias ? bias.shape.length === 2 : (settings.reset_after ?? assumedResetAfter(place.layer, context));
  return { kind, ...base, recurrentActivation, resetAfter };
}

/** A GRU's bias has a second row with reset_after; where the configuration does not say, the bias does. */
function biasSlot(settings: z.infer<typeof cellSchema>, kind: CellKind, gates: number): ReturnType<typeof slot>[] {
  if (!settings.use_bias) return [];
  if (kind !== 'GRU') return [slot('bias', 'bias', [gates])];
  if (settings.reset_after === undefined) return [slot('bias', 'bias', null)];
  return [slot('bias', 'bias', settings.reset_after ? [2, gates] : [gates])];
}

async function readCudnnCell(
  kind: CellKind,
  units: number,
  place: CellPlace,
  weights: WeightReader,
): Promise<CellDescription> {
  const gates = GATE_COUNT[kind] * units;
  const [kernel, recurrentKernel, bias] = await weights.take(
    place.part,
    [
      slot('kernel', 'kernel', [null, gates]),
      slot('recurrent_kernel', 'recurrent_kernel', [units, gates]),
      slot('bias', 'bias', [2 * gates]),
    ],
    place.direction,
  );
  if (!kernel || !recurrentKernel || !bias) throw new Error('three tensors were asked for');
  return kind === 'LSTM'
    ? convertCudnnLstm(units, kernel, recurrentKernel, bias)
    : convertCudnnGru(units, kernel, recurrentKernel, bias);
}

/**
 * What a configuration without the field means: hard_sigmoid before Keras 2.3 and in TensorFlow.js, sigmoid after
 * (tensorflow #47495).
 */
function readRecurrentActivation(
  value: JsonValue | undefined,
  layer: string,
  context: KerasContext,
): ActivationDescription {
  if (value !== undefined) return readActivation(value, context.writer);
  const given = context.options.recurrentActivation;
  if (given !== null) return readActivation(given, context.writer);
  const assumed = hasOldDefaults(context.writer) ? 'hard_sigmoid' : 'sigmoid';
  assume(context, {
    what: `recurrent activation of ${layer}`,
    assumed,
    why: 'the configuration does not say',
    change: '--recurrent-activation',
  });
  return readActivation(assumed, context.writer);
}

function assumedResetAfter(layer: string, context: KerasContext): boolean {
  if (context.options.resetAfter !== null) return context.options.resetAfter;
  const assumed = !hasOldDefaults(context.writer);
  assume(context, {
    what: `reset_after of ${layer}`,
    assumed: String(assumed),
    why: 'neither the configuration nor a bias says',
    change: '--reset-after',
  });
  return assumed;
}

function sayDropout(
  dropout: number | null | undefined,
  recurrent: number | null | undefined,
  context: KerasContext,
): void {
  if ((dropout ?? 0) > 0 || (recurrent ?? 0) > 0) assumeNoDropout(context);
}
