/** The arrays of a run in the engine's own precision, put together apart from the program's own writers. */
import type { AnalysisStep } from '../../src/shared/analysis-step';
import { unitsOf, type StartedEvent } from '../../src/shared/run';
import type { Summary } from '../../src/core/summary';

/** Arrays by their name in docs/cli.md, scales applied; and the summary. */
export interface CollectedRun {
  readonly arrays: Map<string, Float64Array>;
  summary: Summary | null;
  started: StartedEvent | null;
}

/** Consumes a run. */
export async function collectRun(steps: AsyncIterable<AnalysisStep>): Promise<CollectedRun> {
  const run: CollectedRun = { arrays: new Map(), summary: null, started: null };
  for await (const { event, chunk } of steps) {
    if (event.kind === 'started') run.started = event;
    if (event.kind === 'done') run.summary = event.summary;
    if (event.kind === 'states') {
      run.arrays.set('x', Float64Array.from(event.x));
      run.arrays.set('h', Float64Array.from(event.h));
      if (event.c) run.arrays.set('c', Float64Array.from(event.c));
      for (const [gate, values] of Object.entries(event.gates))
        run.arrays.set(`gate_${gate}`, Float64Array.from(values));
    }
    if (!chunk) continue;
    const { batch, sourceSteps: T, inputDim, parts } = run.started!;
    const put = (name: string, values: ArrayLike<number>, scales: ArrayLike<number> | null): void => {
      const having = parts.filter(({ hasCell }) => hasCell || name.startsWith('dh'));
      const index = having.findIndex(({ direction }) => direction === chunk.direction);
      const widths = having.map((part) => unitsOf(part, name.charAt(1)));
      const units = widths[index]!;
      const all = widths.reduce((sum, width) => sum + width, 0);
      const target = run.arrays.get(name) ?? new Float64Array(batch * T * all * inputDim).fill(NaN);
      run.arrays.set(name, target);
      const offset = widths.slice(0, index).reduce((sum, width) => sum + width, 0);
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < chunk.count; t++) {
          const factor = 2 ** (scales?.[b * chunk.count + t] ?? 0);
          for (let u = 0; u < units; u++) {
            for (let d = 0; d < inputDim; d++) {
              const from = ((b * chunk.count + t) * units + u) * inputDim + d;
              const to = ((b * T + chunk.start + t) * all + offset + u) * inputDim + d;
              target[to] = values[from]! * factor;
            }
          }
        }
      }
    };
    if (chunk.mode === 'diagonal') {
      put('dh_dx', chunk.dhdx, null);
      if (chunk.dcdx) put('dc_dx', chunk.dcdx, null);
    } else {
      put('dhT_dx', chunk.dhTdx, chunk.scaleH);
      if (chunk.dcTdx) put('dcT_dx', chunk.dcTdx, chunk.scaleC);
    }
  }
  return run;
}
