/**
 * The Lyapunov exponents of a batch, and the singular values of ds_T/ds_0.
 *
 * Tangents are pushed a few steps at a time and made orthonormal in between. How many steps follows what they grow
 * apart: too much and the group is done again in halves, so that what is read off is never rounding unseen.
 */
import { CURVE_GRID, SpectrumSum, type SequenceSpectrum } from '../../core/spectrum-sum';
import { sliceVectors } from '../cells/step-vectors';
import type { CellRun } from '../cells/run-cell';
import type { StepVectors, TensorCell } from '../cells/tensor-cell';
import type { SpectrumOptions, SpectrumResult } from '../engine';
import type { Ops, Value } from '../ops';
import { Pace } from '../pace';
import { holdsWanted } from '../sequence-range';
import { chooseArithmetic, type Arithmetic } from './arithmetic';
import { spreadOf, TangentQr, type Orthonormal } from './orthonormal-tangents';
import { VECTORS_LENGTH } from './plan';
import { groupLength, isComputed } from './warm-up';
import { pushTangents } from './push-tangents';
import { joinSpectra } from './join-spectra';
import { LONGEST_GROUP, planSpectrum, spectrumSequences, type SpectrumPlan } from './spectrum-plan';
import { uploadPoints } from './step-points';
import { openProducts, type TriangleProducts } from './triangle-products';

/** Steps between two QRs at first. */
const FIRST_GROUP = 4;

/** Nats by which tangents may part between two QRs. */
const WIDEST_SPREAD = 7;
/** Below this the next group is twice as long. */
const NARROW_SPREAD = 2.5;

/** ln of the contraction beside the leading tangent, in one group, that float32 and float64 steps cannot resolve. */
const UNRESOLVED_BELOW = { float32: Math.log(1e-7), float64: Math.log(1e-12) } as const;

/**
 * The spectrum of each sequence.
 *
 * Numerics: float64 steps for small cells and wherever singular values are given, else float32 with QR in float64;
 * the 64 leading exponents within 1e-6 of a float64 run. Masked steps are skipped.
 * Source: D5 and D12 of method.md; Vogt et al. 2006.14123, Engelken et al. 2006.02427.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param options - How many exponents, warm-up, signal.
 */
export async function propagateSpectrum(
  ops: Ops,
  cell: TensorCell,
  run: CellRun,
  options: SpectrumOptions,
): Promise<SpectrumResult> {
  const pace = new Pace(options.signal);
  const plan = planSpectrum(cell.stateSize, run.batch, run.steps, options.exponents, ops.engine);
  const arithmetic = chooseArithmetic(ops, cell, plan.hasSingularValues);
  const atOnce = VECTORS_LENGTH[ops.native ? 'native' : 'host'];
  const sequences = spectrumSequences(cell, run.batch, plan.tangents, ops.native !== null);
  const spectra: SequenceSpectrum[] = [];
  for (let first = 0; first < run.batch; first += sequences) {
    const count = Math.min(sequences, run.batch - first);
    if (!holdsWanted(options.sequences, first, count)) continue;
    const tile = new SpectrumTile(ops, arithmetic, run, plan, options.warmUp, first, count);
    const found = await tile.walk(atOnce, pace);
    spectra.push(...found.filter((_, b) => holdsWanted(options.sequences, first + b, 1)));
  }
  return joinSpectra(spectra, plan, cell.stateSize);
}

/** Sequences whose tangents are pushed together. */
class SpectrumTile {
  private readonly qr: TangentQr;
  private readonly sums: readonly SpectrumSum[];
  private readonly products: TriangleProducts | null;
  private readonly isDouble: boolean;
  private tangents: Value;
  private groupSteps: number;

  constructor(
    ops: Ops,
    private readonly arithmetic: Arithmetic,
    private readonly run: CellRun,
    private readonly plan: SpectrumPlan,
    private readonly warmUp: number,
    private readonly first: number,
    private readonly count: number,
  ) {
    const { stateSize } = arithmetic.cell;
    const { tangents, hasSingularValues } = plan;
    this.isDouble = arithmetic.ops !== ops;
    this.qr = new TangentQr(ops, arithmetic, [count, stateSize, tangents], hasSingularValues);
    this.sums = Array.from({ length: count }, () => new SpectrumSum(tangents, run.steps, warmUp));
    this.products = hasSingularValues ? openProducts(ops, count, stateSize) : null;
    // The lowest of all S exponents are right only with a QR at every step.
    this.groupSteps = tangents === stateSize ? 1 : FIRST_GROUP;
    this.tangents = this.firstTangents();
  }

  /** The spectra of the sequences, after all steps. */
  async walk(atOnce: number, pace: Pace): Promise<SequenceSpectrum[]> {
    const { arithmetic, run, first, count } = this;
    const { ops, cell } = arithmetic;
    const groups = Math.max(1, Math.floor(atOnce / (cell.vectorLength * count * LONGEST_GROUP)));
    const stepsAtOnce = groups * LONGEST_GROUP;
    try {
      for (let start = 0; start < run.steps; start += stepsAtOnce) {
        const length = Math.min(stepsAtOnce, run.steps - start);
        const steps = Array.from({ length }, (_, i) => start + i);
        const selection = { firstSequence: first, sequences: count, steps, slowest: 'step' } as const;
        const vectors = ops.tidy(() =>
          cell.operatorVectors(arithmetic.vectors((points) => uploadPoints(points, run, selection))),
        );
        try {
          for (let done = 0; done < length;) {
            done += this.advance(vectors, start, done, length - done);
            await pace.breathe();
          }
        } finally {
          ops.dispose(...Object.values(vectors));
        }
      }
      const values = await this.products?.logSingularValues(pace);
      return this.sums.map((sum, b) => sum.result(this.plan.count, values?.[b] ?? null));
    } finally {
      ops.dispose(this.tangents);
      this.products?.dispose();
    }
  }

  /** Takes one group of at most `left` steps from `start + done` on; gives how many it took. */
  private advance(vectors: StepVectors, start: number, done: number, left: number): number {
    const { arithmetic, count, plan } = this;
    const { ops } = arithmetic;
    const toGrid = CURVE_GRID - (done % CURVE_GRID);
    const group = groupLength(
      this.run,
      this.first,
      this.sums,
      start + done,
      Math.min(this.groupSteps, toGrid, left),
      this.warmUp,
    );
    const made = ops.tidy(() => {
      let value = this.tangents;
      for (let part = done; part < done + group; part++) value = this.pushStep(vectors, part, start + part, value);
      return this.qr.factorize(value);
    });
    const spread = spreadOf(made.logs, count, plan.tangents);
    if (spread > WIDEST_SPREAD && group > 1) {
      ops.dispose(made.tangents, ...(made.lower ? [made.lower] : []));
      this.groupSteps = group >> 1;
      return 0;
    }
    ops.dispose(this.tangents);
    this.tangents = made.tangents;
    this.qr.accept(made);
    this.addUp(made, start + done, group);
    const isWhole = plan.tangents === arithmetic.cell.stateSize;
    if (spread < NARROW_SPREAD && group === this.groupSteps && !isWhole) {
      this.groupSteps = Math.min(LONGEST_GROUP, 2 * group);
    }
    return group;
  }

  /** Step n of all sequences; a masked one keeps its tangents. */
  private pushStep(vectors: StepVectors, part: number, n: number, tangents: Value): Value {
    const { arithmetic, count } = this;
    const { ops, cell } = arithmetic;
    const flags = Array.from({ length: count }, (_, b) => Number(isComputed(this.run, this.first + b, n)));
    if (!flags.includes(1)) return tangents;
    return ops.tidy(() => {
      const pushed = pushTangents(ops, cell, sliceVectors(ops, vectors, part * count, count), tangents);
      if (!flags.includes(0)) return pushed;
      return ops.select(ops.greater(ops.upload(flags, [count, 1, 1]), ops.constant(0.5)), pushed, tangents);
    });
  }

  /** Adds what a group brought to the sums of its sequences. */
  private addUp(made: Orthonormal, n: number, group: number): void {
    const { plan, isDouble } = this;
    const limit = isDouble ? UNRESOLVED_BELOW.float64 : UNRESOLVED_BELOW.float32;
    const valid = this.sums.map((_, b) => this.validSteps(b, n, group));
    this.sums.forEach((sum, b) => {
      const logs = made.logs.subarray(b * plan.tangents, (b + 1) * plan.tangents);
      if (valid[b]! > 0) sum.add(logs, valid[b]!, limit);
      sum.endStep(n + group - 1);
    });
    const isCounted = valid.map((steps) => steps > 0);
    if (isCounted.includes(true)) this.products?.multiply(made, isCounted);
    if (made.lower) this.arithmetic.ops.dispose(made.lower);
  }

  private validSteps(b: number, n: number, group: number): number {
    let valid = 0;
    for (let step = n; step < n + group; step++) if (isComputed(this.run, this.first + b, step)) valid++;
    return valid;
  }

  /** The first columns of the identity, for each sequence. */
  private firstTangents(): Value {
    const { stateSize } = this.arithmetic.cell;
    const { tangents } = this.plan;
    const data = new Float32Array(this.count * stateSize * tangents);
    for (let b = 0; b < this.count; b++) {
      for (let i = 0; i < tangents; i++) data[(b * stateSize + i) * tangents + i] = 1;
    }
    return this.arithmetic.ops.upload(data, [this.count, stateSize, tangents]);
  }
}
