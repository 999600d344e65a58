/**
 * Which loss a run has, what its target is, and what that makes of the head's end.
 */
import { LOSS_NAMES, type LossName } from '../core/diagnostics/loss';
import { TempogradError } from '../core/errors';
import type { Assumption, RecurrentModel } from '../core/model';
import type { HeadNode } from '../core/reference/head';
import type { Tensor } from '../core/tensor';
import type { RunRequest } from '../shared/run';

/** Keras's and PyTorch's words for the losses, without `_`, `-` and capitals. */
const SYNONYMS: Readonly<Record<string, LossName>> = {
  mse: 'mse',
  meansquarederror: 'mse',
  mseloss: 'mse',
  mae: 'mae',
  meanabsoluteerror: 'mae',
  huber: 'huber',
  huberloss: 'huber',
  categoricalcrossentropy: 'cross-entropy',
  sparsecategoricalcrossentropy: 'cross-entropy',
  crossentropy: 'cross-entropy',
  binarycrossentropy: 'binary-cross-entropy',
};

/** The loss, and what was settled without being asked for. */
export interface ChosenLoss {
  readonly loss: LossName;
  readonly assumptions: readonly Assumption[];
}

/**
 * The loss of a run: the one asked for, else that of the file's training, else mse.
 *
 * @param model - The model.
 * @param request - The request.
 * @throws TempogradError `usage/bad-option` for a loss of the file that is none of those known.
 */
export function chooseLoss(model: RecurrentModel, request: RunRequest): ChosenLoss {
  if (request.loss !== undefined) return { loss: request.loss, assumptions: [] };
  const { trainingLoss } = model;
  if (trainingLoss === undefined) {
    const why = 'the file does not say what the model was trained with';
    return { loss: 'mse', assumptions: [{ what: 'loss', assumed: 'mse', why, change: '--loss' }] };
  }
  const loss = SYNONYMS[trainingLoss.toLowerCase().replace(/[_-]/g, '')];
  if (loss) {
    const why = `the model was compiled with ${trainingLoss}`;
    return { loss, assumptions: [{ what: 'loss', assumed: loss, why, change: '--loss' }] };
  }
  throw new TempogradError(
    'usage/bad-option',
    `the model was compiled with the loss ${trainingLoss}, which is not known`,
    {
      remedy: `Name one with --loss: ${LOSS_NAMES.join(', ')}.`,
      details: { loss: trainingLoss },
    },
  );
}

/**
 * A head that ends where the loss begins: cross-entropies take values before their softmax or sigmoid.
 *
 * @param nodes - The head.
 * @param loss - The loss.
 */
export function endOfHead(
  nodes: readonly HeadNode[],
  loss: LossName,
): { readonly nodes: readonly HeadNode[]; readonly assumptions: readonly Assumption[] } {
  const ends: readonly string[] =
    loss === 'cross-entropy' ? ['softmax', 'log_softmax'] : loss === 'binary-cross-entropy' ? ['sigmoid'] : [];
  if (ends.length === 0) return { nodes, assumptions: [] };
  const last = nodes.at(-1)!;
  const before = nodes.slice(0, -1);
  if (last.kind === 'apply') {
    const { operation, input } = last;
    if (operation.kind === 'dense' && ends.includes(operation.activation.name)) {
      const linear = { ...operation, activation: { name: 'linear' } } as const;
      return { nodes: [...before, { ...last, operation: linear }], assumptions: [] };
    }
    const isEnd =
      (operation.kind === 'softmax' && ends.includes('softmax')) ||
      (operation.kind === 'activation' && ends.includes(operation.activation.name));
    if (isEnd) {
      return { nodes: [...before, { kind: 'join', how: 'concatenate', inputs: [input] }], assumptions: [] };
    }
  }
  const why = `the model does not end with ${ends.join(' or ')}`;
  const assumption = { what: 'output of the model', assumed: `values before ${ends[0]!}`, why, change: '--loss' };
  return { nodes, assumptions: [assumption] };
}

/**
 * The targets of all sequences, `[B, O]` in float64.
 *
 * @param target - `[B, O]`; `[O]` for one sequence; `[B]` for one output, or as class ids of a cross-entropy (also `[B, 1]`).
 * @param batch - B.
 * @param width - O.
 * @param loss - The loss.
 * @throws TempogradError `input/shape-mismatch`; `input/not-finite`.
 */
export function targetsOf(target: Tensor, batch: number, width: number, loss: LossName): Float64Array {
  const { shape, data } = target;
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new TempogradError('input/not-finite', `the target holds ${data[wrong]}`, { details: { index: wrong } });
  const is = (...sizes: number[]): boolean => shape.join() === sizes.join();
  if (is(batch, width) || (batch === 1 && is(width)) || (width === 1 && is(batch))) {
    if (width > 1 || loss !== 'cross-entropy') return Float64Array.from(data);
  }
  if (loss === 'cross-entropy' && (is(batch) || is(batch, 1))) return fromIds(data, width);
  const ids = loss === 'cross-entropy' ? `, or class ids [${batch}]` : '';
  throw new TempogradError(
    'input/shape-mismatch',
    `the target has shape [${shape.join(', ')}], the head gives [${batch}, ${width}]`,
    {
      remedy: `Give a target [${batch}, ${width}]${ids}.`,
      details: { actual: [...shape], expected: [batch, width] },
    },
  );
}

/** One row of zeros and a one for each id. */
function fromIds(ids: Tensor['data'], width: number): Float64Array {
  const targets = new Float64Array(ids.length * width);
  for (let b = 0; b < ids.length; b++) {
    const id = ids[b]!;
    if (!Number.isInteger(id) || id < 0 || id >= width) {
      throw new TempogradError('input/shape-mismatch', `the target of sequence ${b} is ${id}, which is no class id`, {
        remedy: `Give whole numbers from 0 to ${width - 1}.`,
        details: { sequence: b, id, classes: width },
      });
    }
    targets[b * width + id] = 1;
  }
  return targets;
}
