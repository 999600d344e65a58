/**
 * Which arrays a run writes, under which names and in which shapes: those of docs/cli.md.
 */
import { LOSS_PARAMETERS } from '../core/diagnostics/loss-gradient';
import { isStateQuantity, STATE_BLOCKS, type Direction, type StateName } from '../core/jacobian';
import { gateNames } from '../core/model';
import { curvePoints } from '../core/spectrum-sum';
import { unitsOf, type DirectionPart, type PairsEvent, type StartedEvent } from '../shared/run';
import { NPY_BYTES } from './npy-header';
import type { ArrayDeclaration } from './npz-writer';

/** Where a direction's rows stand in an array of all directions that have the state. */
export interface Rows {
  readonly units: number;
  /** First row. */
  readonly offset: number;
  /** Rows of all directions. */
  readonly total: number;
}

/**
 * The rows of a direction; null where it has no such state.
 *
 * @param started - The run.
 * @param state - h or c.
 * @param direction - Which direction.
 */
export function rowsOf(started: StartedEvent, state: StateName, direction: Direction): Rows | null {
  const parts = started.parts.filter(({ hasCell }) => state === 'h' || hasCell);
  const index = parts.findIndex((part) => part.direction === direction);
  if (index < 0) return null;
  const sum = (list: readonly DirectionPart[]): number => list.reduce((total, part) => total + unitsOf(part, state), 0);
  return { units: unitsOf(parts[index]!, state), offset: sum(parts.slice(0, index)), total: sum(parts) };
}

/**
 * The arrays that a run will write, in their order in the file.
 *
 * @param started - The run.
 */
export function declareArrays(started: StartedEvent): readonly ArrayDeclaration[] {
  const { batch, steps, sourceSteps, inputDim, modes, parts } = started;
  const unitsWith = (name: string, has: (part: DirectionPart) => boolean): number =>
    parts.filter(has).reduce((sum, part) => sum + unitsOf(part, name), 0);
  const states = (['h', 'c'] as const)
    .map((name) => ({ name, units: unitsWith(name, ({ hasCell }) => name === 'h' || hasCell) }))
    .filter(({ units }) => units > 0);
  const gates = [...new Set(parts.flatMap(({ kind }) => gateNames(kind)))];
  const real = (name: string, ...shape: number[]): ArrayDeclaration => ({ name, type: 'float32', shape });
  const declarations = [
    real('x', batch, sourceSteps, inputDim),
    ...states.map(({ name, units }) => real(name, batch, steps, units)),
  ];
  if (modes.includes('states')) {
    const gateUnits = (gate: string): number => unitsWith(gate, ({ kind }) => gateNames(kind).includes(gate));
    declarations.push(...gates.map((gate) => real(`gate_${gate}`, batch, steps, gateUnits(gate))));
  }
  if (modes.includes('diagonal') && sourceSteps === steps) {
    declarations.push(...states.map(({ name, units }) => real(`d${name}_dx`, batch, steps, units, inputDim)));
  }
  if (modes.includes('final')) {
    declarations.push(...states.map(({ name, units }) => real(`d${name}T_dx`, batch, sourceSteps, units, inputDim)));
    for (const { name } of states)
      declarations.push({ name: `scale_d${name}T_dx`, type: 'int32', shape: [batch, sourceSteps] });
    for (const { name } of states) {
      for (const suffix of suffixes(started, name)) {
        declarations.push({ name: `lognorm_d${name}T_dx${suffix}`, type: 'float64', shape: [batch, sourceSteps] });
      }
    }
  }
  if (modes.includes('pairs')) {
    const norms = (name: string, ...shape: number[]): void => {
      declarations.push({ name, type: 'float64', shape: [batch, ...shape] });
    };
    for (const { name } of states) norms(`lognorm_d${name}_dx`, steps, sourceSteps);
    for (const suffix of suffixes(started, 'h')) norms(`lognorm_dh_dh0${suffix}`, steps);
    for (const suffix of suffixes(started, 'h')) norms(`lognorm_ds_ds${suffix}`, steps, steps);
    for (const block of started.stateBlocks ? STATE_BLOCKS : []) {
      for (const suffix of suffixes(started, 'c')) norms(`lognorm_${block}${suffix}`, steps, steps);
    }
    if (started.full) declarations.push(...wholePairs(started, states));
  }
  if (started.hasBlock) {
    declarations.push(...states.map(({ name, units }) => real(`block_d${name}_dx`, units, inputDim)));
    for (const { name } of states) declarations.push({ name: `scale_block_d${name}_dx`, type: 'int32', shape: [] });
  }
  if (started.hasLossGradient) {
    const shape = [batch, steps, LOSS_PARAMETERS.length];
    for (const suffix of suffixes(started, 'h')) {
      declarations.push({ name: `lognorm_loss_gradient_by_lag${suffix}`, type: 'float64', shape });
      declarations.push({ name: `loss_gradient_by_lag${suffix}`, type: 'float64', shape });
    }
  }
  if (modes.includes('spectrum')) declarations.push(...spectrumArrays(started));
  return declarations;
}

/** Of each state: the blocks of all pairs, and their scales. */
function wholePairs(
  { batch, steps, inputDim }: StartedEvent,
  states: readonly { readonly name: string; readonly units: number }[],
): readonly ArrayDeclaration[] {
  const pairs = [batch, steps, steps];
  return [
    ...states.map(({ name, units }) => ({
      name: `d${name}_dx_pairs`,
      type: 'float32' as const,
      shape: [...pairs, units, inputDim],
    })),
    ...states.map(({ name }) => ({ name: `scale_d${name}_dx_pairs`, type: 'int32' as const, shape: pairs })),
  ];
}

/** Of each direction: exponents, which of them are resolved, how they came to rest, singular values. */
function spectrumArrays({ batch, steps, spectra = [] }: StartedEvent): readonly ArrayDeclaration[] {
  const points = curvePoints(steps).length;
  return spectra.flatMap((shape): ArrayDeclaration[] => {
    const { direction, count, stateSize, hasSingularValues, eigenvalueSteps = 0, kernelBlocks } = shape;
    const suffix = spectra.length === 1 ? '' : `_${direction}`;
    return [
      { name: `lyapunov${suffix}`, type: 'float64', shape: [batch, count] },
      { name: `lyapunov_resolved${suffix}`, type: 'int32', shape: [batch, count] },
      { name: `lyapunov_curve${suffix}`, type: 'float64', shape: [batch, points, count] },
      { name: `lyapunov_curve_steps${suffix}`, type: 'int32', shape: [points] },
      ...(hasSingularValues
        ? [{ name: `singular_values${suffix}`, type: 'float64' as const, shape: [batch, stateSize] }]
        : []),
      ...(eigenvalueSteps > 0
        ? [
            { name: `eigenvalues_A${suffix}`, type: 'float64' as const, shape: [eigenvalueSteps, stateSize, 2] },
            { name: `eigenvalues_A_steps${suffix}`, type: 'int32' as const, shape: [eigenvalueSteps] },
          ]
        : []),
      ...(kernelBlocks
        ? [{ name: `eigenvalues_U${suffix}`, type: 'float64' as const, shape: [...kernelBlocks, 2] }]
        : []),
    ];
  });
}

/**
 * The array that a rectangle of pairs belongs to.
 *
 * @param started - The run.
 * @param event - The rectangle.
 */
export function pairsArray({ parts }: StartedEvent, { quantity, direction }: PairsEvent): string {
  const suffix = parts.length === 1 ? '' : `_${direction}`;
  if (quantity === 'dh_ds0') return `lognorm_dh_dh0${suffix}`;
  return isStateQuantity(quantity) ? `lognorm_${quantity}${suffix}` : `lognorm_${quantity}`;
}

/**
 * Bytes of all arrays that a run will write.
 *
 * @param declarations - What `declareArrays` gave.
 */
export function arrayBytes(declarations: readonly ArrayDeclaration[]): number {
  return declarations.reduce((sum, { shape, type }) => sum + shape.reduce((p, n) => p * n, 1) * NPY_BYTES[type], 0);
}

/**
 * Whether an array is one of those that rectangles of pairs fill.
 *
 * @param name - Its name.
 */
export function isPairsArray(name: string): boolean {
  return /^lognorm_d[hcs]_/.test(name);
}

/**
 * Whether an array is one of those that whole blocks of pairs fill.
 *
 * @param name - Its name.
 */
export function isWholePairsArray(name: string): boolean {
  return name.endsWith('_dx_pairs');
}

/** One suffix per direction that has the state; none for a single direction. */
function suffixes(started: StartedEvent, state: StateName): readonly string[] {
  if (started.parts.length === 1) return [''];
  return started.parts.filter(({ hasCell }) => state === 'h' || hasCell).map(({ direction }) => `_${direction}`);
}
