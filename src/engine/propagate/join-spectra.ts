/** The spectra of all sequences as arrays over the batch. */
import type { SequenceSpectrum } from '../../core/spectrum-sum';
import type { SpectrumResult } from '../engine';
import type { SpectrumPlan } from './spectrum-plan';

/**
 * One result of the sequences' own.
 *
 * @param spectra - One per sequence.
 * @param plan - What was computed.
 * @param stateSize - S
 */
export function joinSpectra(
  spectra: readonly SequenceSpectrum[],
  { count, reason }: SpectrumPlan,
  stateSize: number,
): SpectrumResult {
  const batch = spectra.length;
  const { steps } = spectra[0]!.curve;
  const values = new Float64Array(batch * steps.length * count);
  const lyapunov = new Float64Array(batch * count);
  const isResolved = new Uint8Array(batch * count);
  const logs = spectra.map(({ logSingularValues }) => logSingularValues).filter((entry) => entry !== null);
  const logSingularValues = logs.length === batch ? new Float64Array(batch * stateSize) : null;
  spectra.forEach((spectrum, b) => {
    lyapunov.set(spectrum.exponents, b * count);
    isResolved.set(spectrum.isResolved, b * count);
    values.set(spectrum.curve.values, b * steps.length * count);
    logSingularValues?.set(logs[b]!, b * stateSize);
  });
  return { count, stateSize, lyapunov, isResolved, curve: { steps, values }, logSingularValues, reason };
}
