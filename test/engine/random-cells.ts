/** Seeded cells and sequences, and the comparison of an engine's results with the float64 reference. */
import { expect } from 'vitest';
import type { ActivationDescription } from '../../src/core/activations';
import type { Direction, FinalChunk } from '../../src/core/jacobian';
import type { CellDescription, CellKind } from '../../src/core/model';
import { propagateDiagonal as referenceDiagonal } from '../../src/core/reference/propagate-diagonal';
import { propagateFinal as referenceFinal } from '../../src/core/reference/propagate-final';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { runCell as runReference, type Trajectory } from '../../src/core/reference/run-cell';
import { makeTensor, type RealTensor } from '../../src/core/tensor';
import { openCell } from '../../src/engine/cells/open-cell';
import { runCell, type CellRun } from '../../src/engine/cells/run-cell';
import type { TensorCell } from '../../src/engine/cells/tensor-cell';
import type { Ops } from '../../src/engine/ops';
import { propagateDiagonal } from '../../src/engine/propagate/diagonal';
import { propagateFinal } from '../../src/engine/propagate/final';
import { noise } from './all-ops';

/** What a test asks of a cell and its run. */
export interface Case {
  readonly kind: CellKind;
  readonly units: number;
  readonly inputDim: number;
  readonly batch: number;
  readonly steps: number;
  readonly activation?: ActivationDescription;
  readonly recurrentActivation?: ActivationDescription;
  readonly resetAfter?: boolean;
  readonly bias?: boolean;
  readonly direction?: Direction;
  /** Share of masked steps, 0 to 1. */
  readonly masked?: number;
  readonly initial?: boolean;
  /** Size of the recurrent weights: spectral radius about this. */
  readonly gain?: number;
  readonly inputGain?: number;
  /** Added to the bias of every gate. */
  readonly biasShift?: number;
  readonly chunkBytes?: number;
  readonly clip?: number;
  readonly peepholes?: boolean;
  /** P of an LSTM's projection. */
  readonly projected?: number;
  readonly inputForget?: boolean;
  readonly outputActivation?: ActivationDescription;
}

/** A cell with seeded weights. */
export function makeCell(wanted: Case): CellDescription {
  const { kind, units, inputDim } = wanted;
  const gates = { SimpleRNN: 1, LSTM: 4, GRU: 3 }[kind];
  const width = gates * units;
  const scaled = (size: number, seed: number, scale: number): Float32Array => noise(size, seed).map((v) => v * scale);
  const gain = (wanted.gain ?? 1) * Math.sqrt(3 / units);
  const kernel = makeTensor(
    [inputDim, width],
    scaled(inputDim * width, 2, (wanted.inputGain ?? 1) * Math.sqrt(3 / inputDim)),
  );
  const hidden = wanted.projected ?? units;
  const recurrentKernel = makeTensor([hidden, width], scaled(hidden * width, 3, gain));
  const biasRow = (seed: number): Float32Array => scaled(width, seed, 0.5).map((v) => v + (wanted.biasShift ?? 0));
  const bias = wanted.bias === false ? null : makeTensor([width], biasRow(4));
  const common = {
    units,
    inputDim,
    kernel,
    recurrentKernel,
    activation: wanted.activation ?? { name: 'tanh' },
    clip: wanted.clip ?? null,
  } as const;
  const recurrentActivation = wanted.recurrentActivation ?? { name: 'sigmoid' };
  if (kind === 'SimpleRNN') return { kind, ...common, bias };
  if (kind === 'LSTM') {
    const { projected } = wanted;
    return {
      kind,
      ...common,
      bias,
      recurrentActivation,
      outputActivation: wanted.outputActivation ?? common.activation,
      peepholes: wanted.peepholes ? makeTensor([3 * units], scaled(3 * units, 11, 1)) : null,
      projection: projected
        ? makeTensor([units, projected], scaled(units * projected, 12, Math.sqrt(3 / units)))
        : null,
      inputForget: wanted.inputForget ?? false,
    };
  }
  const resetAfter = wanted.resetAfter ?? true;
  const both = new Float32Array(2 * width);
  both.set(biasRow(4));
  both.set(biasRow(5), width);
  const gruBias = bias && resetAfter ? makeTensor([2, width], both) : bias;
  return { kind, ...common, bias: gruBias, recurrentActivation, resetAfter };
}

/** Input, mask and initial state of a case. */
export function makeInput(wanted: Case): {
  x: RealTensor;
  mask: Uint8Array | null;
  initial: { h0: RealTensor; c0: RealTensor | null } | null;
} {
  const { batch, steps, units, inputDim } = wanted;
  const x = makeTensor(
    [batch, steps, inputDim],
    noise(batch * steps * inputDim, 7).map((v) => v * 1.7),
  );
  const share = wanted.masked ?? 0;
  const mask = share > 0 ? Uint8Array.from(noise(batch * steps, 8), (v) => Number((v + 1) / 2 >= share)) : null;
  const state = (width: number, seed: number): RealTensor => makeTensor([batch, width], noise(batch * width, seed));
  const initial = wanted.initial
    ? { h0: state(wanted.projected ?? units, 9), c0: wanted.kind === 'LSTM' ? state(units, 10) : null }
    : null;
  return { x, mask, initial };
}

/** Everything an engine gives for a case. */
export interface Outcome {
  readonly run: CellRun;
  readonly dhdx: Float64Array;
  readonly dcdx: Float64Array | null;
  readonly chunks: readonly FinalChunk[];
}

/** Runs a case on an engine's operations. */
export async function runCase(ops: Ops, wanted: Case): Promise<Outcome & { readonly cell: CellDescription }> {
  const description = makeCell(wanted);
  const { x, mask, initial } = makeInput(wanted);
  const cell = openCell(ops, description);
  const signal = new AbortController().signal;
  const options = { signal, chunkBytes: wanted.chunkBytes ?? 2 ** 24 };
  try {
    const direction = wanted.direction ?? 'forward';
    const run = await runCell(ops, cell, x, { direction, mask, initial, signal });
    return { cell: description, run, ...(await propagate(ops, cell, run, options)) };
  } finally {
    cell.dispose();
  }
}

async function propagate(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: { signal: AbortSignal; chunkBytes: number },
): Promise<Omit<Outcome, 'run'>> {
  const pairs = run.batch * run.steps * run.inputDim;
  const dhdx = new Float64Array(pairs * run.hiddenSize);
  const dcdx = run.c ? new Float64Array(pairs * run.units) : null;
  for await (const chunk of propagateDiagonal(ops, cell, run, options)) {
    const lay = (target: Float64Array, source: Float32Array | Float64Array, units: number): void => {
      const block = units * run.inputDim;
      for (let b = 0; b < run.batch; b++) {
        const part = source.subarray(b * chunk.count * block, (b + 1) * chunk.count * block);
        target.set(part, (b * run.steps + chunk.start) * block);
      }
    };
    lay(dhdx, chunk.dhdx, run.hiddenSize);
    if (dcdx && chunk.dcdx) lay(dcdx, chunk.dcdx, run.units);
  }
  const chunks: FinalChunk[] = [];
  for await (const chunk of propagateFinal(ops, cell, run, options)) {
    chunks.push({ ...chunk, dhTdx: chunk.dhTdx.slice(), dcTdx: chunk.dcTdx?.slice() ?? null });
  }
  return { dhdx, dcdx, chunks };
}

/** The engine's own states of one sequence, for the reference to linearise. */
export function trajectoryOf(run: CellRun, b: number): Trajectory {
  const part = (array: Float32Array | Float64Array, width: number): Float64Array =>
    Float64Array.from(array.subarray(b * width, (b + 1) * width));
  const { steps, units, hiddenSize, inputDim } = run;
  return {
    direction: run.direction,
    steps,
    x: part(run.x, steps * inputDim),
    mask: run.mask?.subarray(b * steps, (b + 1) * steps) ?? null,
    initial: { h: part(run.h0, hiddenSize), c: run.c0 ? part(run.c0, units) : null },
    h: part(run.h, steps * hiddenSize),
    c: run.c ? part(run.c, steps * units) : null,
  };
}

/** Largest |a - b| over the largest |b|; 0 when both are zero. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let at = 0; at < expected.length; at++) {
    const gap = Math.abs(actual[at] - expected[at]);
    if (gap > difference || Number.isNaN(gap)) difference = gap;
    largest = Math.max(largest, Math.abs(expected[at]));
  }
  return difference === 0 ? 0 : difference / largest;
}

/** Tolerances, each relative to the largest entry of its block. */
export interface Tolerances {
  readonly states: number;
  readonly jacobians: number;
  readonly lognorm: number;
}

/** Expects states, diagonal and final Jacobians as the float64 reference has them, which linearises the same states. */
export function expectAsReference(
  outcome: Outcome,
  description: CellDescription,
  tolerance: Tolerances,
  compareStates = true,
): void {
  const { run, dhdx, dcdx, chunks } = outcome;
  const cell = makeReferenceCell(description);
  const { batch, steps, units, hiddenSize, inputDim } = run;
  const hiddenBlock = hiddenSize * inputDim;
  const cellBlock = units * inputDim;
  for (let b = 0; b < batch; b++) {
    const own = trajectoryOf(run, b);
    if (compareStates) {
      const { direction, mask, initial } = own;
      const reference = runReference(cell, own.x, { direction, mask, initial });
      expect(relativeError(own.h, reference.h), `h of sequence ${b}`).toBeLessThan(tolerance.states);
      if (own.c && reference.c)
        expect(relativeError(own.c, reference.c), `c of sequence ${b}`).toBeLessThan(tolerance.states);
      for (const [name, gate] of Object.entries(run.gates)) {
        const part = gate.subarray(b * steps * units, (b + 1) * steps * units);
        expect(relativeError(part, reference.gates[name]), `gate ${name} of sequence ${b}`).toBeLessThan(
          tolerance.states,
        );
      }
    }
    for (const { step, dhdx: h, dcdx: c } of referenceDiagonal(cell, own)) {
      const at = b * steps + step;
      const hidden = dhdx.subarray(at * hiddenBlock, (at + 1) * hiddenBlock);
      expect(relativeError(hidden, h), `dh/dx of step ${step}`).toBeLessThan(tolerance.jacobians);
      const memory = dcdx?.subarray(at * cellBlock, (at + 1) * cellBlock);
      if (c && memory) {
        expect(relativeError(memory, c), `dc/dx of step ${step}`).toBeLessThan(tolerance.jacobians);
      }
    }
    let seen = 0;
    for (const { step, h, c } of referenceFinal(cell, own)) {
      const chunk = chunks.find(({ start, count }) => step >= start && step < start + count);
      if (!chunk) throw new Error(`no chunk holds step ${step}`);
      seen++;
      const row = b * chunk.count + step - chunk.start;
      const compare = (
        what: string,
        jacobian: Float32Array | Float64Array,
        scale: Int32Array,
        lognorm: Float64Array,
        expected: { jacobian: Float64Array; scale: number; logNorm: number },
      ): void => {
        if (expected.logNorm === -Infinity) {
          expect(lognorm[row], `${what} at step ${step}`).toBe(-Infinity);
          return;
        }
        expect(Math.abs(lognorm[row] - expected.logNorm), `log norm of ${what} at step ${step}`).toBeLessThan(
          tolerance.lognorm,
        );
        const block = expected.jacobian.length;
        const stored = jacobian.subarray(row * block, (row + 1) * block);
        const rescaled = expected.jacobian.map((value) => value * 2 ** (expected.scale - scale[row]));
        expect(relativeError(stored, rescaled), `${what} at step ${step}`).toBeLessThan(tolerance.jacobians);
      };
      compare('dhT/dx', chunk.dhTdx, chunk.scaleH, chunk.lognormH, h);
      if (c && chunk.dcTdx && chunk.scaleC && chunk.lognormC)
        compare('dcT/dx', chunk.dcTdx, chunk.scaleC, chunk.lognormC, c);
    }
    expect(seen).toBe(steps);
  }
}
