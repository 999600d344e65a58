/**
 * How many steps of u are pushed together, and what that holds: a rule of sizes alone.
 *
 * Every layer's derivative is held for all its steps until the last layer that reads it has been passed, so memory is
 * what bounds a tile.
 */
import { isElementwise } from '../../core/activations';
import {
  cellsOf,
  gateNames,
  isRecurrent,
  type Layer,
  type RecurrentLayer,
  type RecurrentModel,
} from '../../core/model';
import { sizeOf } from '../../core/tensor';
import { cellSizes } from '../cells/cell-sizes';
import type { EngineName } from '../engine';
import { isSmallCell } from '../propagate/arithmetic';
import { LARGEST_CHUNK_BYTES, VECTORS_LENGTH } from '../propagate/plan';
import { rowShape } from './push-plain';
import { fedBy } from './source-layers';
import { OPERATOR_BYTES } from './step-operators';

/** What the derivatives of one tile may hold, with the largest chunks. */
const TILE_BYTES = 288 * 2 ** 20;

/** Columns that are pushed together at most: wider products are no faster, and what is between them leaves the cache. */
const MOST_COLUMNS = 512;

/** What the vectors of all steps may hold to be kept from tile to tile, with the largest chunks. */
const KEPT_VECTOR_BYTES = 64 * 2 ** 20;

/** States between two looks at the norms, and what is between them. */
const STATE_COPIES = 16;

/** Rows as they are, stacked, turned, and the layer's own copies while tangents pass through it. */
const PASS_COPIES = 5;

/** Some steps of u of one sequence. */
export interface StackTile {
  readonly sequence: number;
  readonly first: number;
  readonly count: number;
}

/** What decides the tiles. */
export interface StackSizes {
  /** B, T_u and D_u. */
  readonly batch: number;
  readonly steps: number;
  readonly width: number;
  /** Bytes that one source holds at most, all its columns. */
  readonly sourceBytes: number;
  /** Bytes whatever the tile: operators and vectors. */
  readonly fixedBytes: number;
  /** Bytes of what the layers gave and of the states of recurrences, held on the host for the whole batch. */
  readonly hostBytes: number;
  /** Bytes of vectors of one sequence, if kept. */
  readonly vectorBytes: number;
  /** FLOP that one source costs. */
  readonly sourceFlop: number;
}

/** Tiles of a run. */
export interface StackPlan {
  /** Steps of u in a tile. */
  readonly tileSteps: number;
  readonly keepsVectors: boolean;
  /** Held at once, with what lies on the host. */
  readonly bytes: number;
}

/** Shapes along the way from the model's input to a layer, batch first. */
export interface StackShapes {
  readonly model: RecurrentModel;
  readonly layer: number;
  readonly starts: readonly number[];
  readonly order: readonly number[];
  /** Of every output of each layer that is a start or in order. */
  readonly outputs: ReadonlyMap<number, readonly { readonly shape: readonly number[] }[]>;
}

/**
 * The sizes of a path.
 *
 * @param path - Its shapes.
 * @param engine - Which engine pushes.
 */
export function stackSizes(path: StackShapes, engine: EngineName): StackSizes {
  const { model, layer, order, starts, outputs } = path;
  const shapes = starts.map((start) => outputs.get(start)![0]!.shape);
  const [batch, steps] = shapes[0] as [number, number];
  const width = shapes.reduce((sum, shape) => sum + shape[2]!, 0);
  const hostReal = engine === 'reference' ? 8 : 4;
  const real = isDoubleStack(path, engine === 'tensorflow') ? 8 : hostReal;
  const given = [...outputs.values()].flat().reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let states = 0;
  let vectorBytes = 0;
  let fixedBytes = 0;
  let sourceFlop = 0;
  let stateBytes = 0;
  for (const own of [...order, layer].map((index) => model.layers[index]!)) {
    if (!isRecurrent(own)) continue;
    const ownSteps = outputs.get(own.inputs[0]!.layer)![own.inputs[0]!.output]!.shape[1]!;
    for (const { cell } of cellsOf(own.operation)) {
      const sizes = cellSizes(cell);
      states += batch * ownSteps * (sizes.stateSize + gateNames(cell.kind).length * cell.units);
      vectorBytes += ownSteps * 8 * sizes.operatorRows * real;
      fixedBytes = Math.max(
        fixedBytes,
        3 * Math.max(OPERATOR_BYTES, real * sizes.operatorRows * sizes.operatorColumns),
      );
      sourceFlop += 2 * ownSteps * sizes.operatorRows * sizes.operatorColumns * width;
      stateBytes = Math.max(stateBytes, STATE_COPIES * real * (sizes.stateSize + sizes.inputDim) * width);
    }
  }
  fixedBytes += real * (engine === 'tensorflow' ? VECTORS_LENGTH.native : VECTORS_LENGTH.host);
  const sourceBytes = stateBytes + heldBytes(path) * width * real;
  const hostBytes = hostReal * (given + states);
  return { batch, steps, width, sourceBytes, fixedBytes, hostBytes, vectorBytes, sourceFlop };
}

/**
 * Whether a stack runs in float64.
 *
 * Small cells are bound by the number of operations, so all of them run in float64 at hardly any cost; where one is large,
 * everything runs in the engine's own precision, with coefficients that were computed in float64.
 *
 * @param path - The layers.
 * @param isNative - Whether the engine is the native library, whose float64 values cannot be read back.
 */
export function isDoubleStack({ model, order, layer }: StackShapes, isNative: boolean): boolean {
  return [...order, layer].every((index) => {
    const own = model.layers[index]!;
    if (isRecurrent(own)) return isSmallLayer(own, isNative);
    return !isNative || !isReadBack(own);
  });
}

function isSmallLayer({ operation }: RecurrentLayer, isNative: boolean): boolean {
  return cellsOf(operation).every(({ cell }) => isSmallCell(cellSizes(cell), isNative));
}

/** Whether tangents through a layer are computed on the host. */
function isReadBack({ operation }: Layer): boolean {
  if (operation.kind === 'pool1d') return operation.pooling === 'max';
  return 'activation' in operation && !isElementwise(operation.activation.name);
}

/**
 * The tiles for some memory.
 *
 * @param sizes - The path's sizes.
 * @param chunkBytes - What the caller allows a chunk; what is held shrinks with it.
 * @param maxBytes - What there is for it, where that is known; a tile is never smaller than one step.
 */
export function planStack(sizes: StackSizes, chunkBytes: number, maxBytes = Infinity): StackPlan {
  const share = Math.min(1, chunkBytes / LARGEST_CHUNK_BYTES);
  const { steps, width, sourceBytes, hostBytes, vectorBytes } = sizes;
  const fixedBytes = sizes.fixedBytes + hostBytes;
  const keepsVectors = vectorBytes <= Math.min(share * KEPT_VECTOR_BYTES, (maxBytes - fixedBytes) / 2);
  const kept = keepsVectors ? vectorBytes : 0;
  const fitting = Math.floor(Math.min(share * TILE_BYTES, maxBytes - fixedBytes - kept) / sourceBytes);
  const tileSteps = Math.max(1, Math.min(fitting, Math.ceil(MOST_COLUMNS / width), steps));
  return { tileSteps, keepsVectors, bytes: tileSteps * sourceBytes + fixedBytes + kept };
}

/**
 * The tiles in their order: sequence after sequence.
 *
 * @param sizes - The path's sizes.
 * @param plan - Their plan.
 */
export function stackTiles({ batch, steps }: StackSizes, { tileSteps }: StackPlan): readonly StackTile[] {
  const perSequence = Math.ceil(steps / tileSteps);
  return Array.from({ length: batch * perSequence }, (_, at) => {
    const first = (at % perSequence) * tileSteps;
    return { sequence: Math.floor(at / perSequence), first, count: Math.min(tileSteps, steps - first) };
  });
}

/** Numbers of one column that all layers hold at once at most: rows live until the last layer that reads them. */
function heldBytes({ model, order, starts, outputs, layer }: StackShapes): number {
  const numbersOf = (index: number): number =>
    outputs.get(index)!.reduce((sum, { shape }) => {
      const { steps, features } = rowShape(shape);
      return sum + steps * features;
    }, 0);
  const readers = new Map<number, number>();
  for (const index of [...order, layer])
    for (const from of fedBy(model, index)) readers.set(from, (readers.get(from) ?? 0) + 1);
  const live = new Map<number, number>(starts.map((start) => [start, 0]));
  let most = 0;
  for (const index of order) {
    const own = model.layers[index]!;
    const isMoved = own.operation.kind === 'identity' || own.operation.kind === 'concatenate';
    // Layers that only move rows share them, which makes these live as long as the last that has them.
    const shared = isMoved
      ? fedBy(model, index).reduce((sum, from) => sum + (live.get(from) ?? 0), 0)
      : numbersOf(index);
    const inputs = fedBy(model, index).reduce((sum, from) => sum + (live.get(from) ?? 0), 0);
    const held = [...live.values()].reduce((sum, one) => sum + one, 0);
    const working = isRecurrent(own) || isMoved ? 0 : PASS_COPIES * (inputs + shared);
    most = Math.max(most, held + (isMoved ? 0 : shared) + working);
    live.set(index, shared);
    for (const from of fedBy(model, index)) {
      const left = readers.get(from)! - 1;
      readers.set(from, left);
      if (left === 0) live.delete(from);
    }
  }
  return Math.max(
    most,
    [...live.values()].reduce((sum, one) => sum + one, 0),
  );
}
