/** The spectra of a batch on the float64 reference cells, one sequence after the other. */
import type { ReferenceCell } from '../../core/reference/cell';
import { spectrumSteps } from '../../core/reference/lyapunov-spectrum';
import type { Trajectory } from '../../core/reference/run-cell';
import type { SequenceSpectrum } from '../../core/spectrum-sum';
import type { SpectrumOptions, SpectrumResult } from '../engine';
import { Pace } from '../pace';
import { holdsWanted } from '../sequence-range';
import { joinSpectra } from './join-spectra';
import { planSpectrum } from './spectrum-plan';

/**
 * The spectrum of each sequence.
 *
 * @param cell - The cell.
 * @param trajectories - One per sequence, of one length.
 * @param options - How many exponents, warm-up, signal.
 */
export async function referenceSpectrum(
  cell: ReferenceCell,
  trajectories: readonly Trajectory[],
  { exponents, warmUp, signal, sequences }: SpectrumOptions,
): Promise<SpectrumResult> {
  const pace = new Pace(signal);
  const plan = planSpectrum(cell.stateSize, trajectories.length, trajectories[0]!.steps, exponents, 'reference');
  const { count, hasSingularValues } = plan;
  const spectra: SequenceSpectrum[] = [];
  for (const [b, trajectory] of trajectories.entries()) {
    if (!holdsWanted(sequences, b, 1)) continue;
    const walk = spectrumSteps(cell, trajectory, { count, warmUp, hasSingularValues });
    let step = walk.next();
    for (; !step.done; step = walk.next()) await pace.breathe();
    spectra.push(step.value);
  }
  return joinSpectra(spectra, plan, cell.stateSize);
}
