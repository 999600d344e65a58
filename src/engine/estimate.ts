/**
 * What a run will cost, from its sizes alone.
 *
 * Work is the useful FLOP of method.md 2.5, so that a rate in FLOP/s means the same as there; memory is what the engine
 * and its caller hold at once.
 */
import type { AnalysisMode } from '../core/jacobian';
import { hiddenSize, type CellDescription, type CellKind } from '../core/model';
import { cellSizes } from './cells/cell-sizes';
import type { EngineName } from './engine';
import { flopOf, pairsBytes, planPairs, pushFlop } from './propagate/pairs-plan';
import { LARGEST_CHUNK_BYTES, VECTORS_LENGTH, planDiagonal, planFinal } from './propagate/plan';
import { DEFAULT_EXPONENTS, spectrumCost } from './propagate/spectrum-plan';

/** Cost of a run. */
export interface RunCost {
  readonly flop: number;
  /** Bytes held at once at most, without the library itself. */
  readonly peakBytes: number;
  /** Bytes of all arrays of the result. */
  readonly resultBytes: number;
  readonly seconds: number;
}

/** Sustained FLOP/s per engine on an ordinary two-core machine; orders of magnitude, for the user's patience only. */
const RATES: Readonly<Record<EngineName, number>> = { tensorflow: 1e11, wasm: 8e9, reference: 8e8 };
/** Fixed cost of a timestep (small operations), seconds. */
const STEP_SECONDS: Readonly<Record<EngineName, number>> = { tensorflow: 1.5e-4, wasm: 4e-4, reference: 0 };
/** Bytes per second at which results of the memory-bound diagonal appear. */
const FILL_RATE = 1e9;
const GATES: Readonly<Record<CellKind, number>> = { SimpleRNN: 1, LSTM: 4, GRU: 3 };
/** A chunk of results is not cut smaller than this. */
const SMALLEST_CHUNK_BYTES = 2 ** 10;
/** Threads, small values, and host arrays that wait for the garbage collector; the memory of wasm never shrinks. */
const FIRST_USE_BYTES: Readonly<Record<EngineName, number>> = {
  tensorflow: 32 * 2 ** 20,
  wasm: 80 * 2 ** 20,
  reference: 16 * 2 ** 20,
};
/** Norms and handles of many small values that wait for the garbage collector while pairs are computed. */
const WAITING_BYTES = 32 * 2 ** 20;
/** States of a piece of the forward pass in engine memory. */
const FORWARD_BYTES = 16 * 2 ** 20;

/**
 * The cost of a run over the cells of one layer.
 *
 * @param cells - One per direction.
 * @param batch - B.
 * @param steps - T.
 * @param modes - What is asked for.
 * @param engine - Which engine runs it.
 * @param chunkBytes - What a chunk of results may have.
 * @param exponents - How many Lyapunov exponents the mode spectrum gives.
 *
 * Source: method.md 2.5, the rows "form A", "form B" and "final" (q = H, or 2H where c is wanted too).
 */
export function estimateRun(
  cells: readonly CellDescription[],
  batch: number,
  steps: number,
  modes: readonly AnalysisMode[],
  engine: EngineName,
  chunkBytes = LARGEST_CHUNK_BYTES,
  exponents: number | 'all' = DEFAULT_EXPONENTS,
): RunCost {
  let flop = 0;
  let resultBytes = 0;
  let jacobianBytes = 0;
  let heldBytes = 0;
  let workingBytes = 0;
  const width = engine === 'reference' ? 8 : 4;
  for (const cell of cells) {
    const { units: H, inputDim: D } = cell;
    const P = hiddenSize(cell);
    const { stateSize: S, stateBlocks: states } = cellSizes(cell);
    const gates = GATES[cell.kind];
    const perStep =
      2 * gates * H * (P + D) +
      projectionFlop(cell, 1) +
      (modes.includes('diagonal') ? diagonalFlop(cell) : 0) +
      (modes.includes('final') ? finalFlop(cell) + formFlop(cell) : 0);
    flop += batch * (steps * perStep + (modes.includes('pairs') ? pairsCost(cell, steps, engine, chunkBytes).flop : 0));
    const block = batch * steps * S * D;
    for (const mode of ['diagonal', 'final'] as const) if (modes.includes(mode)) jacobianBytes += block * width;
    resultBytes += batch * steps * (S + (modes.includes('states') ? gates * H : 0)) * 4 + batch * steps * D * 4;
    if (modes.includes('final')) resultBytes += batch * steps * states * 12;
    if (modes.includes('spectrum')) {
      const spectrum = spectrumCost(cellSizes(cell), formFlop(cell), batch, steps, exponents, engine);
      flop += spectrum.flop;
      resultBytes += spectrum.resultBytes;
      workingBytes = Math.max(workingBytes, spectrum.workingBytes);
    }
    if (modes.includes('pairs')) resultBytes += 8 * batch * steps * (steps * (states + 1) + 1);
    heldBytes += batch * steps * (S + (cell.kind === 'SimpleRNN' ? 0 : gates * H)) * width + weightBytes(cell, engine);
    workingBytes = Math.max(workingBytes, propagationBytes(cell, batch, steps, modes, engine, chunkBytes));
  }
  const loops =
    cells.length *
    ((modes.includes('final') ? steps : 0) +
      (modes.includes('diagonal') ? steps / 16 : 0) +
      (modes.includes('spectrum') ? steps : 0) +
      steps);
  return {
    flop,
    peakBytes: heldBytes + workingBytes + FIRST_USE_BYTES[engine],
    resultBytes: resultBytes + jacobianBytes * (4 / width),
    seconds: flop / RATES[engine] + loops * STEP_SECONDS[engine] + jacobianBytes / FILL_RATE,
  };
}

/**
 * A run that pushes columns through the layers below too.
 *
 * @param cost - Its cost without that.
 * @param engine - Which engine runs it.
 * @param flop - Work of that.
 * @param bytes - Held at once for it.
 */
export function withMoreWork(cost: RunCost, engine: EngineName, flop: number, bytes: number): RunCost {
  return {
    ...cost,
    flop: cost.flop + flop,
    peakBytes: cost.peakBytes + bytes,
    seconds: cost.seconds + flop / RATES[engine],
  };
}

/** A run cut to fit. */
export interface FittedRun {
  readonly cost: RunCost;
  /** What a chunk of its results may have. */
  readonly chunkBytes: number;
}

/**
 * The run with the largest pieces that fit the memory; with the smallest ones where none do.
 *
 * @param cells - One per direction.
 * @param batch - B.
 * @param steps - T.
 * @param modes - What is asked for.
 * @param engine - Which engine runs it.
 * @param maxBytes - The memory; null = as much as there is.
 * @param exponents - How many Lyapunov exponents the mode spectrum gives.
 */
export function fitRun(
  cells: readonly CellDescription[],
  batch: number,
  steps: number,
  modes: readonly AnalysisMode[],
  engine: EngineName,
  maxBytes: number | null,
  exponents: number | 'all' = DEFAULT_EXPONENTS,
): FittedRun {
  for (let chunkBytes = LARGEST_CHUNK_BYTES; ; chunkBytes /= 2) {
    const cost = estimateRun(cells, batch, steps, modes, engine, chunkBytes, exponents);
    const isFitting = maxBytes === null || cost.peakBytes <= maxBytes;
    if (isFitting || chunkBytes <= SMALLEST_CHUNK_BYTES) return { cost, chunkBytes };
  }
}

/** Weights in the forms that the passes use: as they are, stacked, in pieces for forming, and stacked in float64. */
function weightBytes(cell: CellDescription, engine: EngineName): number {
  const { kind, units, inputDim } = cell;
  const weights = GATES[kind] * units * (hiddenSize(cell) + inputDim);
  return weights * (engine === 'reference' ? 16 : 32);
}

/** The largest of the forward pass, `diagonal` and `final`; see `propagate/plan`. */
function propagationBytes(
  cell: CellDescription,
  batch: number,
  steps: number,
  modes: readonly AnalysisMode[],
  engine: EngineName,
  allowedBytes: number,
): number {
  const sizes = cellSizes(cell);
  const { units, inputDim, stateSize: size, operatorRows, operatorColumns, vectorLength } = sizes;
  if (engine === 'reference') {
    // One sequence at a time has its rows and step Jacobians; a chunk of results is gathered from all.
    const chunkBytes = Math.min(
      Math.max(allowedBytes, 8 * batch * size * inputDim),
      8 * batch * steps * size * inputDim,
    );
    return 8 * (4 * size * size + 2 * size * inputDim) * (modes.includes('final') ? batch : 1) + 2 * chunkBytes;
  }
  const shape = { ...sizes, batch, steps, chunkBytes: allowedBytes, hasBatchedProducts: engine !== 'wasm' };
  let bytes = Math.min(FORWARD_BYTES, 8 * batch * steps * (units * (GATES[cell.kind] + 1) + size));
  if (modes.includes('diagonal')) {
    const { chunkSteps, sequences, tilePairs } = planDiagonal(shape);
    const chunkBytes = 4 * batch * chunkSteps * size * inputDim;
    const formed = 3 * 4 * tilePairs * operatorRows * (sizes.isFactored ? inputDim : operatorColumns);
    bytes = Math.max(bytes, chunkBytes + formed + 4 * sequences * chunkSteps * vectorLength);
  }
  if (modes.includes('final')) {
    const { chunkSteps, sequences, groupSteps } = planFinal(shape);
    const chunkBytes = 4 * (batch + sequences) * chunkSteps * size * inputDim;
    const rows = 4 * size * (2 * batch * size + 2 * sequences * operatorRows);
    const operators = 4 * groupSteps * sequences * operatorColumns * operatorRows * 3;
    bytes = Math.max(bytes, chunkBytes + rows + operators + 4 * sequences * chunkSteps * vectorLength);
  }
  if (modes.includes('pairs')) bytes = Math.max(bytes, pairsCost(cell, steps, engine, allowedBytes).bytes);
  return bytes;
}

/** What `pairs` costs and holds by the ways that it takes: by inputs, by the initial state, and state by state. */
function pairsCost(
  cell: CellDescription,
  steps: number,
  engine: EngineName,
  chunkBytes: number,
): { readonly flop: number; readonly bytes: number } {
  const sizes = { ...cellSizes(cell), steps, isNative: engine === 'tensorflow', isExact: false, chunkBytes };
  const { stateSize, vectorLength } = sizes;
  let flop = formFlop(cell) * steps + pushFlop(sizes) * stateSize * steps;
  let bytes = 0;
  for (const source of ['input', 'state'] as const) {
    const isReference = engine === 'reference';
    const plan = isReference ? { algorithm: 'direct' as const, segments: [] } : planPairs(sizes, source);
    flop += flopOf(sizes, source, plan);
    bytes = Math.max(bytes, pairsBytes(sizes, source, plan));
  }
  const waiting = engine === 'tensorflow' ? WAITING_BYTES : 0;
  return { flop, bytes: bytes + 4 * VECTORS_LENGTH.native + 4 * vectorLength + waiting };
}

/** "form B" of one step: dh_t/dx_t, and dc_t/dx_t for an LSTM. */
function diagonalFlop(cell: CellDescription): number {
  const { units: H, inputDim: D } = cell;
  if (cell.kind === 'SimpleRNN') return H * D;
  if (cell.kind === 'LSTM') return 8 * H * D + projectionFlop(cell, D);
  return cell.resetAfter ? 5 * H * D : 2 * H * H * D + 5 * H * D;
}

/** "form A" of one step. */
function formFlop(cell: CellDescription): number {
  const { units: H } = cell;
  if (cell.kind === 'SimpleRNN') return H * H;
  if (cell.kind === 'LSTM') {
    const { isFactored, stateSize } = cellSizes(cell);
    return 8 * H * hiddenSize(cell) + (isFactored ? 0 : projectionFlop(cell, stateSize));
  }
  return cell.resetAfter ? 5 * H * H + H : 2 * H ** 3 + 4 * H * H + 2 * H;
}

/** Columns of H rows brought to the P rows of a projected h. */
function projectionFlop(cell: CellDescription, columns: number): number {
  return cell.kind === 'LSTM' && cell.projection ? 2 * cell.units * hiddenSize(cell) * columns : 0;
}

/** Pulling all S rows of one step. */
function finalFlop(cell: CellDescription): number {
  const { stateSize, operatorRows, operatorColumns, isFactored } = cellSizes(cell);
  return 2 * stateSize * operatorRows * operatorColumns + (isFactored ? projectionFlop(cell, stateSize) : 0);
}
