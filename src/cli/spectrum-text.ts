/** The spectra of a summary as lines of the terminal. */
import { formatNumber } from '../charts/number-format';
import type { SpectrumSummary, Summary } from '../core/summary';

/** So many exponents are written out. */
const SHOWN = 4;

/**
 * One line a direction: the leading exponents, how many there are, what is not resolved, singular values, eigenvalues, fixed points.
 *
 * @param summary - The summary; without the mode spectrum there are no lines.
 */
export function spectrumText({ spectra = [] }: Summary): readonly string[] {
  return spectra.map((spectrum) => {
    const whose = spectra.length === 2 ? `spectrum ${spectrum.direction}` : 'spectrum';
    return `${whose}: ${[exponentsText(spectrum), unresolvedText(spectrum), singularText(spectrum), eigenvaluesText(spectrum), pointsText(spectrum)].filter((part) => part !== '').join('; ')}`;
  });
}

function exponentsText({ lyapunov, lyapunovStd, stateSize }: SpectrumSummary): string {
  const shown = lyapunov.slice(0, SHOWN).map((value, i) => {
    const spread = lyapunovStd[i];
    return `${formatNumber(value, 3)}${spread ? ` ± ${formatNumber(spread, 2)}` : ''}`;
  });
  const rest = lyapunov.length > SHOWN ? `, … ${formatNumber(lyapunov[lyapunov.length - 1]!, 3)}` : '';
  return `Lyapunov exponents ${shown.join(', ')}${rest} nats/step (${lyapunov.length} of ${stateSize})`;
}

function unresolvedText({ unresolved }: SpectrumSummary): string {
  return unresolved === 0 ? '' : `${unresolved} not resolved`;
}

function singularText({ logSingularRange: [largest, smallest] }: SpectrumSummary): string {
  if (largest === null && smallest === null) return '';
  return `log singular values of ds_T/ds_0 ${formatNumber(largest, 3)} to ${formatNumber(smallest, 3)}`;
}

/** Smallest and largest spectral radius of A_t at the steps that were looked at. */
function eigenvaluesText({ eigenvalues }: SpectrumSummary): string {
  const radii =
    eigenvalues?.steps.map(({ spectralRadius }) => spectralRadius).filter((radius) => radius !== null) ?? [];
  if (radii.length === 0) return '';
  const [least, most] = [Math.min(...radii), Math.max(...radii)];
  return `spectral radius of A_t ${formatNumber(least, 3)} to ${formatNumber(most, 3)}`;
}

function pointsText({ fixedPoints }: SpectrumSummary): string {
  if (fixedPoints === null) return '';
  const stable = fixedPoints.points.filter(({ unstable }) => unstable === 0).length;
  return `fixed points ${fixedPoints.points.length}, ${stable} stable`;
}
