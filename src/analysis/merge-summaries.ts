/**
 * The summary of a run that was put together from parts.
 *
 * Every part has computed the states of all sequences, so what rests on them and on the weights stands in each part's own
 * summary. What rests on the Jacobians of the sequences is concluded here from all of them, as one run concludes it.
 */
import { lagSeries } from '../core/diagnostics/lag-series';
import type { Direction, StateName } from '../core/jacobian';
import type { Warning } from '../core/model';
import type { Summary } from '../core/summary';
import type { SpectrumResult } from '../engine/engine';
import { DEFAULT_EXPONENTS, planSpectrum } from '../engine/propagate/spectrum-plan';
import { PART_ARRAYS, type OpenPart, type PartArray, type PartFile } from '../shared/part-record';
import type { SpectrumShape, StartedEvent } from '../shared/run';
import { judge } from './judge';
import { readSpectra } from './spectrum-diagnostics';

/** What the parts hold of all sequences, in their order. */
interface GatheredParts {
  /** Curves by lag, by `state direction`. */
  readonly curves: Map<string, Float64Array[]>;
  readonly exponents: Map<Direction, number[]>;
  readonly spectra: Map<Direction, GatheredSpectrum>;
}

interface GatheredSpectrum {
  readonly shape: SpectrumShape;
  readonly lyapunov: number[];
  readonly isResolved: number[];
  readonly logSingularValues: number[];
}

/**
 * The summary of the whole run: that of one run, but for times.
 *
 * @param parts - All parts in their order.
 */
export async function mergeSummaries(parts: readonly PartFile[]): Promise<Summary> {
  const { started, summary: frame, ofStates = [] } = parts[0]!.record;
  const { part: _, ...whole } = started;
  const gathered: GatheredParts = { curves: new Map(), exponents: new Map(), spectra: new Map() };
  for (const file of parts) await file.use((part) => gather(gathered, file.record.started, part));
  const exponents = parts[0]!.record.facts['--exponents'] ?? '';
  const asked = exponents === '' ? DEFAULT_EXPONENTS : exponents === 'all' ? 'all' : Number(exponents);
  const spectra = new Map(
    [...gathered.spectra].map(([direction, found]) => [direction, resultOf(found, whole, asked)]),
  );
  const settings = settingsOf(frame, parts);
  const judged = judge({
    started: whole,
    ...settings,
    exponents: new Map([...gathered.exponents].map(([direction, values]) => [direction, Float64Array.from(values)])),
    curves: (state, direction) => gathered.curves.get(`${state} ${direction}`) ?? [],
  });
  const spectrum = spectra.size > 0 ? readSpectra(spectra, whole.batch, ofStates) : null;
  return {
    ...frame,
    run: runOf(parts),
    hidden: judged.hidden,
    cell: judged.cell,
    diagnostics: { ...frame.diagnostics, ...spectrum?.diagnostics, ...judged.diagnostics },
    ...(spectrum && { spectra: spectrum.spectra }),
    warnings: [...frame.warnings, ...(spectrum?.warnings ?? []), ...judged.warnings, ...machineWarning(parts)],
  };
}

/** What the verdict was told; `--span` is no part of a summary. */
function settingsOf({ run }: Summary, parts: readonly PartFile[]): { warmUp: number | null; span: number | null } {
  const span = parts[0]!.record.facts['--span'] ?? '';
  return { warmUp: run.warmUp ?? null, span: span === '' ? null : Number(span) };
}

/** Times add up; the rest is the worst of the parts. */
function runOf(parts: readonly PartFile[]): Summary['run'] {
  const runs = parts.map(({ record }) => record.summary.run);
  const { part: _, ...first } = runs[0]!;
  const errors = runs.map(({ probeError }) => probeError).filter((error) => error !== null);
  return {
    ...first,
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
    peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
    exact: runs.every(({ exact }) => exact),
    probeError: errors.length > 0 ? Math.max(...errors) : null,
    redone: runs.reduce((sum, { redone = 0 }) => sum + redone, 0),
    ...(first.pairs && { pairs: Object.assign({}, ...runs.map(({ pairs }) => pairs)) as Record<string, string> }),
    parts: parts.length,
  };
}

async function gather(gathered: GatheredParts, started: PartFile['record']['started'], part: OpenPart): Promise<void> {
  const { count } = started.part.sequences;
  if (count === 0) return;
  await gatherExponents(gathered, started, count, part);
  if (started.modes.includes('final')) await gatherCurves(gathered, started, count, part);
  for (const shape of started.modes.includes('spectrum') ? (started.spectra ?? []) : []) {
    const suffix = started.spectra!.length === 1 ? '' : `_${shape.direction}`;
    const found = gathered.spectra.get(shape.direction) ?? {
      shape,
      lyapunov: [],
      isResolved: [],
      logSingularValues: [],
    };
    gathered.spectra.set(shape.direction, found);
    append(found.lyapunov, await part.array(`lyapunov${suffix}`));
    append(found.isResolved, await part.array(`lyapunov_resolved${suffix}`));
    append(found.logSingularValues, await part.array(`singular_values${suffix}`));
  }
}

async function gatherExponents(
  { exponents }: GatheredParts,
  { directions }: StartedEvent,
  count: number,
  part: OpenPart,
): Promise<void> {
  const array = await part.array(PART_ARRAYS.exponents);
  for (const [at, direction] of directions.entries()) {
    const list = exponents.get(direction) ?? [];
    exponents.set(direction, list);
    if (array) list.push(...array.read(at * count, count));
  }
}

async function gatherCurves(
  { curves }: GatheredParts,
  { parts, steps, sourceSteps }: StartedEvent,
  count: number,
  part: OpenPart,
): Promise<void> {
  // Where x has other steps than the layer, its mask says nothing of them.
  const masks = steps === sourceSteps ? await part.array(PART_ARRAYS.mask) : undefined;
  for (const { direction, hasCell } of parts) {
    const states: readonly StateName[] = hasCell ? ['h', 'c'] : ['h'];
    for (const state of states) {
      const having = parts.filter((other) => state === 'h' || other.hasCell);
      const suffix = parts.length === 1 ? '' : `_${direction}`;
      const norms = having.length > 0 ? await part.array(`lognorm_d${state}T_dx${suffix}`) : undefined;
      const key = `${state} ${direction}`;
      const list = curves.get(key) ?? [];
      curves.set(key, list);
      for (let b = 0; norms && b < count; b++) {
        const mask = masks ? masks.read(b * steps, steps) : null;
        list.push(lagSeries(norms.read(b * sourceSteps, sourceSteps), direction, mask));
      }
    }
  }
}

function append(list: number[], array: PartArray | undefined): void {
  if (!array) return;
  for (const value of array.read(
    0,
    array.shape.reduce((product, size) => product * size, 1),
  ))
    list.push(value);
}

/** The spectrum of one direction over all sequences; its curve is in the arrays alone. */
function resultOf(
  { shape, lyapunov, isResolved, logSingularValues }: GatheredSpectrum,
  { batch, steps, engine }: StartedEvent,
  asked: number | 'all',
): SpectrumResult {
  const { count, stateSize, hasSingularValues } = shape;
  return {
    count,
    stateSize,
    lyapunov: Float64Array.from(lyapunov),
    isResolved: Uint8Array.from(isResolved),
    curve: { steps: new Int32Array(), values: new Float64Array() },
    logSingularValues: hasSingularValues ? Float64Array.from(logSingularValues) : null,
    reason: planSpectrum(stateSize, batch, steps, asked, engine.name).reason,
  };
}

/** Parts whose machines computed different last bits are right, but are not what one machine gives. */
function machineWarning(parts: readonly PartFile[]): readonly Warning[] {
  const kinds = new Set(parts.map(({ record }) => record.states)).size;
  if (kinds === 1) return [];
  return [
    {
      code: 'merge/machines-differ',
      message: `The parts were computed on ${kinds} kinds of machine, whose states differ in the last bits: the arrays are right to rounding, but not bit for bit what one machine gives.`,
      remedy: 'Compute all parts on machines of one kind, with as many cores each.',
    },
  ];
}
