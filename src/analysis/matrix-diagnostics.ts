/**
 * Diagnostics of the recurrent kernel alone, gate by gate; what is too large for plain TypeScript is left out and said.
 */
import { largestRealPartOf } from '../core/diagnostics/antisymmetric-reading';
import { recurrentMatrices } from '../core/diagnostics/gate-blocks';
import { orthogonality } from '../core/diagnostics/orthogonality';
import { largestModulus, nonNormalPeak } from '../core/diagnostics/spectral-radius';
import { eigenvalues } from '../core/linalg/decompositions';
import { spectralNorm } from '../core/linalg/spectral-norm';
import { cellsOf, hiddenSize, type CellDescription, type RecurrentLayer, type Warning } from '../core/model';
import type { Diagnostics } from '../core/summary';
import type { Pace } from '../engine/pace';

/** Eigenvalues of four kernels of this size take about two seconds, and eight times as long for twice the size. */
const MAX_UNITS_EIGENVALUES = 256;
/** Singular values are about eight times cheaper. */
const MAX_UNITS_SINGULAR = 512;
/** Work for the transient of all kernels together, FLOP. */
const PEAK_FLOP = 3e8;

type GateMap = Record<string, number | null>;

/** The diagnostics and what was left out. */
export interface MatrixDiagnostics {
  readonly diagnostics: Pick<
    Diagnostics,
    'spectralRadius' | 'spectralNorm' | 'orthogonalityMargin' | 'nonNormalPeak' | 'largestRealPart'
  >;
  readonly warnings: readonly Warning[];
}

/**
 * Spectral radius, spectral norm, orthogonality margin and non-normal transient of each gate's recurrent kernel.
 *
 * @param layer - The layer; with two directions the keys carry `_forward` and `_backward`.
 * @param pace - Lets messages in between the gates, each of which may take half a second.
 * @returns null for a kernel that is not finite; with a warning also for a transient that does not settle (a spectral
 * radius of 1 or more), for kernels too large, for those of a projection, which are not square, and for the forget
 * gate of an LSTM with f = 1 - i, which has no kernel of its own.
 */
export async function matrixDiagnostics(layer: RecurrentLayer, pace: Pace): Promise<MatrixDiagnostics> {
  const cells = cellsOf(layer.operation);
  const maps = {
    spectralRadius: {} as GateMap,
    spectralNorm: {} as GateMap,
    orthogonalityMargin: {} as GateMap,
    nonNormalPeak: {} as GateMap,
    largestRealPart: {} as GateMap,
  };
  const unsettled: string[] = [];
  for (const { direction, cell } of cells) {
    const { units } = cell;
    const isSquare = hiddenSize(cell) === units;
    const blocks = recurrentMatrices(cell);
    for (const { gate, data } of blocks) {
      await pace.breathe();
      const key = cells.length === 2 ? `${gate}_${direction}` : gate;
      const isUsed = data.every(Number.isFinite) && !isWithoutKernel(cell, gate);
      const found = isUsed && isSquare && units <= MAX_UNITS_EIGENVALUES ? eigenvalues(data, units) : null;
      const radius = found && largestModulus(found);
      maps.largestRealPart[key] = found && largestRealPartOf(found.real);
      maps.spectralRadius[key] = radius;
      await pace.breathe();
      maps.spectralNorm[key] = isUsed ? spectralNorm(data, units, hiddenSize(cell)) : null;
      await pace.breathe();
      maps.orthogonalityMargin[key] =
        isUsed && isSquare && units <= MAX_UNITS_SINGULAR ? orthogonality(data, units).margin : null;
      maps.nonNormalPeak[key] = null;
      if (radius === null) continue;
      await pace.breathe();
      const peak = radius < 1 ? nonNormalPeak(data, units, PEAK_FLOP / (blocks.length * cells.length)) : null;
      if (peak?.isSettled) maps.nonNormalPeak[key] = peak.value;
      else unsettled.push(key);
    }
  }
  return {
    diagnostics: maps,
    warnings: [...unsettledWarning(unsettled), ...sizeWarnings(cells), ...optionWarnings(cells)],
  };
}

/** The forget gate of an LSTM with f = 1 - i follows the input gate, whatever its block of the kernels holds. */
function isWithoutKernel(cell: CellDescription, gate: string): boolean {
  return cell.kind === 'LSTM' && cell.inputForget && gate === 'f';
}

/** What the options of a cell leave out. */
function optionWarnings(cells: ReturnType<typeof cellsOf>): readonly Warning[] {
  const remedy = 'The verdict does not rest on them.';
  const warnings: Warning[] = [];
  const projected = cells.find(({ cell }) => hiddenSize(cell) !== cell.units)?.cell;
  if (projected) {
    warnings.push({
      code: 'diagnostics/left-out',
      message: `spectralRadius, nonNormalPeak and orthogonalityMargin are null: with a projection the recurrent kernels lead from ${hiddenSize(projected)} units of h to ${projected.units} and are not square.`,
      remedy: `${remedy.slice(0, -1)}; spectralNorm is given.`,
    });
  }
  if (cells.some(({ cell }) => isWithoutKernel(cell, 'f'))) {
    warnings.push({
      code: 'diagnostics/left-out',
      message: 'The forget gate is 1 - i and has no recurrent kernel of its own, so its matrix diagnostics are null.',
      remedy,
    });
  }
  return warnings;
}

function unsettledWarning(gates: readonly string[]): readonly Warning[] {
  if (gates.length === 0) return [];
  return [
    {
      code: 'diagnostics/left-out',
      message: `The powers of the recurrent kernel (${gates.join(', ')}) do not settle below 1, so nonNormalPeak is null there.`,
      remedy:
        'A spectral radius near or above 1 has no bounded transient; read spectralRadius and the verdict instead.',
    },
  ];
}

/** What is left out of kernels that are too large; the two directions of a layer may differ in size. */
function sizeWarnings(cells: ReturnType<typeof cellsOf>): readonly Warning[] {
  const isAlike = cells.every(({ cell }) => cell.units === cells[0]!.cell.units);
  return (isAlike ? cells.slice(0, 1) : cells).flatMap(({ cell, direction }) => {
    const { units } = cell;
    if (units <= MAX_UNITS_EIGENVALUES || hiddenSize(cell) !== units) return [];
    const isBeyondBoth = units > MAX_UNITS_SINGULAR;
    const left = isBeyondBoth
      ? 'spectralRadius, nonNormalPeak and orthogonalityMargin'
      : 'spectralRadius and nonNormalPeak';
    const limit = isBeyondBoth ? MAX_UNITS_SINGULAR : MAX_UNITS_EIGENVALUES;
    const whose = isAlike ? 'this layer has' : `the ${direction} direction has`;
    return [
      {
        code: 'diagnostics/left-out',
        message: `${left} are left out above ${limit} units (${whose} ${units}).`,
        remedy: 'The verdict does not rest on them; spectralNorm is given.',
      },
    ];
  });
}
