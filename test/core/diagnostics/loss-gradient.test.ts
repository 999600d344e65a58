/** D24: the terms add up to the plain gradient, which central differences of the whole unrolled loss give too. */
import { describe, expect, it } from 'vitest';
import { LossGradient, LOSS_PARAMETERS, type LagTerms } from '../../../src/core/diagnostics/loss-gradient';
import type { CellDescription } from '../../../src/core/model';
import type { CellState } from '../../../src/core/reference/cell';
import { makeReferenceCell } from '../../../src/core/reference/reference-cell';
import { runCell, stateBefore, type Trajectory } from '../../../src/core/reference/run-cell';
import { makeTensor } from '../../../src/core/tensor';
import { normals, randomCell, scalarRnn, type RandomCellOptions } from '../random-cell';

const STEPS = 7;
const MASK = Uint8Array.of(1, 1, 0, 1, 1, 1, 0);

function finish<T>(walk: Generator<undefined, T, void>): T {
  for (;;) {
    const { done, value } = walk.next();
    if (done) return value;
  }
}

/** r . s after the last step. */
function lossOf(trajectory: Trajectory, description: CellDescription, row: Float64Array): number {
  const { h, c } = stateBefore(trajectory, makeReferenceCell(description), trajectory.steps);
  return [...h, ...(c ?? [])].reduce((sum, value, at) => sum + value * row[at], 0);
}

function shifted(
  description: CellDescription,
  key: (typeof LOSS_PARAMETERS)[number],
  at: number,
  by: number,
): CellDescription {
  const tensor = description[key]!;
  const data = Float64Array.from(tensor.data);
  data[at] += by;
  return { ...description, [key]: makeTensor([...tensor.shape], data) } as CellDescription;
}

describe('D24 LossGradient', () => {
  it.each<readonly [string, RandomCellOptions, 'forward' | 'backward', boolean]>([
    ['SimpleRNN', { kind: 'SimpleRNN' }, 'forward', false],
    ['LSTM', { kind: 'LSTM' }, 'forward', false],
    ['LSTM, masked, backward', { kind: 'LSTM' }, 'backward', true],
    ['LSTM with peepholes and projection', { kind: 'LSTM', hasPeepholes: true, projected: 2 }, 'forward', true],
    ['GRU, reset after', { kind: 'GRU', resetAfter: true }, 'forward', true],
    ['GRU, reset before', { kind: 'GRU', resetAfter: false }, 'backward', false],
    ['GRU without bias', { kind: 'GRU', hasBias: false }, 'forward', false],
  ])('%s: the sum of the terms is the derivative of the unrolled loss', (_, options, direction, isMasked) => {
    const description = randomCell({ units: 4, inputDim: 3, ...options });
    const x = normals(STEPS * 3, 20);
    const cell = makeReferenceCell(description);
    const row = normals(cell.stateSize, 21);
    const initial: CellState = { h: normals(cell.hiddenSize, 22), c: cell.hasCell ? normals(4, 23) : null };
    const runOptions = { direction, mask: isMasked ? MASK : null, initial };
    const trajectory = runCell(cell, x, runOptions);
    const gradient = new LossGradient(description);
    finish(gradient.add({ trajectory, row, computedStep: STEPS - 1 }));
    const whole = gradient.whole();
    for (const key of LOSS_PARAMETERS) {
      if (description[key] === null) {
        expect(whole[key]).toBeNull();
        continue;
      }
      const size = description[key].data.length;
      expect(whole[key]!.length).toBe(size);
      for (let at = 0; at < size; at++) {
        const loss = (by: number): number => {
          const other = shifted(description, key, at, by);
          return lossOf(runCell(makeReferenceCell(other), x, runOptions), other, row);
        };
        const e = 1e-3;
        const difference = (loss(-2 * e) - 8 * loss(-e) + 8 * loss(e) - loss(2 * e)) / (12 * e);
        expect(Math.abs(whole[key]![at] - difference)).toBeLessThan(1e-9);
      }
    }
    const terms = finish(gradient.terms({ trajectory, row, computedStep: STEPS - 1 }));
    const valid = isMasked ? 5 : STEPS;
    LOSS_PARAMETERS.forEach((key, at) => {
      const shares = columnOf(terms.shares, at);
      const total = shares.reduce((sum, share) => sum + share, 0);
      expect(total).toBeCloseTo(description[key] === null ? 0 : 1, 12);
      expect(shares.slice(valid).every((share) => share === 0)).toBe(true);
      expect([...columnOf(terms.logNorms, at).slice(valid)].every((norm) => norm === -Infinity)).toBe(true);
    });
    expectSingleTerms(description, trajectory, row, terms, whole);
  });

  it('of several sequences: shares add up to 1 over all of them', () => {
    const description = randomCell({ kind: 'GRU' });
    const cell = makeReferenceCell(description);
    const sequences = [1, 2, 3].map((seed) => ({
      trajectory: runCell(cell, normals(STEPS * 3, 30 + seed)),
      row: normals(cell.stateSize, 40 + seed),
      computedStep: STEPS - 1,
    }));
    const gradient = new LossGradient(description);
    for (const sequence of sequences) finish(gradient.add(sequence));
    const shares = sequences.map((sequence) => finish(gradient.terms(sequence)).shares);
    for (const at of [0, 1, 2]) {
      expect(shares.reduce((sum, one) => sum + columnOf(one, at).reduce((a, b) => a + b, 0), 0)).toBeCloseTo(1, 12);
    }
  });

  it('h = .25 h + x over 2000 steps: terms of 4^-k, far below 1e-308, with their norms', () => {
    const description = scalarRnn(0.25, 1, { name: 'linear' });
    const trajectory = runCell(makeReferenceCell(description), new Float64Array(2000).fill(1));
    const gradient = new LossGradient(description);
    const sequence = { trajectory, row: Float64Array.of(1), computedStep: 1999 };
    finish(gradient.add(sequence));
    expect(gradient.whole().kernel![0]).toBeCloseTo(4 / 3, 12);
    const { logNorms, shares } = finish(gradient.terms(sequence));
    expect(logNorms[3 * 1990]).toBeCloseTo(1990 * Math.log(0.25), 8);
    expect(shares[3 * 2]).toBeCloseTo(0.75 / 16, 12);
  });

  it('a loss that reads an earlier step has no term behind it', () => {
    const description = randomCell({ kind: 'LSTM' });
    const cell = makeReferenceCell(description);
    const trajectory = runCell(cell, normals(STEPS * 3, 50), { direction: 'backward' });
    const gradient = new LossGradient(description);
    const sequence = { trajectory, row: normals(cell.stateSize, 51), computedStep: 0 };
    finish(gradient.add(sequence));
    const { logNorms } = finish(gradient.terms(sequence));
    expect(Number.isFinite(logNorms[0])).toBe(true);
    expect([...logNorms.slice(3)].every((norm) => norm === -Infinity)).toBe(true);
  });

  it('of a row of zeros is zero, its shares are not defined', () => {
    const description = scalarRnn(0.5, 1, { name: 'tanh' });
    const trajectory = runCell(makeReferenceCell(description), new Float64Array(3));
    const gradient = new LossGradient(description);
    const sequence = { trajectory, row: Float64Array.of(0), computedStep: 2 };
    finish(gradient.add(sequence));
    expect([...gradient.whole().kernel!]).toEqual([0]);
    expect([...finish(gradient.terms(sequence)).logNorms].every((norm) => norm === -Infinity)).toBe(true);
  });
});

/** Each lag's norm and share against a gradient made of that term alone. */
function expectSingleTerms(
  description: CellDescription,
  trajectory: Trajectory,
  row: Float64Array,
  terms: LagTerms,
  whole: ReturnType<LossGradient['whole']>,
): void {
  // The term of lag 0 alone: the same loss on a trajectory that begins at its last valid step.
  const { direction, steps, mask } = trajectory;
  const order = Array.from({ length: steps }, (_, n) => (direction === 'forward' ? n : steps - 1 - n));
  const last = order.filter((t) => mask === null || mask[t] !== 0).at(-1)!;
  const before = stateBefore(trajectory, makeReferenceCell(description), order.indexOf(last));
  const inputDim = description.inputDim;
  const alone = runCell(makeReferenceCell(description), trajectory.x.slice(last * inputDim, (last + 1) * inputDim), {
    initial: before,
  });
  const gradient = new LossGradient(description);
  finish(gradient.add({ trajectory: alone, row, computedStep: 0 }));
  const term = gradient.whole();
  LOSS_PARAMETERS.forEach((key, at) => {
    if (whole[key] === null) return;
    const inner = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
    expect(terms.logNorms[at]).toBeCloseTo(0.5 * Math.log(inner(term[key]!, term[key]!)), 10);
    expect(terms.shares[at]).toBeCloseTo(inner(term[key]!, whole[key]) / inner(whole[key], whole[key]), 10);
  });
}

function columnOf(values: Float64Array, at: number): Float64Array {
  return values.filter((_, index) => index % 3 === at);
}
