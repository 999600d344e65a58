/**
 * `tempograd selfcheck`: the known values of the method, computed on this machine by every engine present.
 *
 * The table in core is computed in float64; the recurrences with a known Jacobian run through each engine's own path.
 */
import { FLOAT32_LOG_NORM_TOLERANCE, KNOWN_RUNS, type KnownRun } from '../core/known-runs';
import { isAsExpected, KNOWN_VALUES } from '../core/known-values';
import { makeTensor } from '../core/tensor';
import type { Engine } from '../engine/engine';
import { availableEngines, loadEngine } from '../engine/load-engine';
import { loneInput, loneLayer } from '../engine/lone-layer';
import { EXIT, type Output } from './exit-codes';
import { columns, jsonText } from './terminal-text';

const CHUNK_BYTES = 2 ** 20;

/** One line of the result. */
interface CheckedRow {
  readonly id: string;
  readonly engine: string;
  readonly what: string;
  readonly expected: number | string;
  readonly got: number | string;
  readonly tolerance: number;
  readonly passed: boolean;
  readonly source: string;
}

/**
 * Prints expected, got and tolerance of every row.
 *
 * @param isJson - JSON instead of a table.
 * @param output - Where to print.
 * @param signal - Ends the check.
 * @returns Exit code 4 when a row failed.
 */
export async function selfcheckCommand(isJson: boolean, output: Output, signal: AbortSignal): Promise<number> {
  const rows: CheckedRow[] = KNOWN_VALUES.map((row) => {
    signal.throwIfAborted();
    const got = row.compute();
    const { id, what, source, expected, tolerance } = row;
    return { id, engine: 'core', what, expected, got, tolerance, passed: isAsExpected(row, got), source };
  });
  const engines = availableEngines();
  for (const { name, isPresent } of engines) {
    if (!isPresent) continue;
    const engine = await loadEngine(name);
    for (const run of KNOWN_RUNS) rows.push(await checkRun(engine, run, signal));
  }
  const failed = rows.filter(({ passed }) => !passed).length;
  const missing = engines.filter(({ isPresent }) => !isPresent).map(({ name, why }) => ({ engine: name, why }));
  if (isJson) output.out(`${jsonText({ schema: 1, passed: rows.length - failed, failed, missing, rows })}\n`);
  else output.out(asText(rows, failed, missing));
  return failed > 0 ? EXIT.engineFailed : EXIT.done;
}

/** ln of the norm of one block of `final`, as the engine gives it. */
async function checkRun(engine: Engine, run: KnownRun, signal: AbortSignal): Promise<CheckedRow> {
  const { cell, steps } = run;
  const x = makeTensor([1, steps, cell.inputDim], new Float64Array(steps * cell.inputDim));
  const h0 = makeTensor([1, cell.units], run.initialHidden ?? new Float64Array(cell.units));
  const c0 = cell.kind === 'LSTM' ? makeTensor([1, cell.units], new Float64Array(cell.units)) : null;
  const layerRun = await engine.openLayer(loneLayer(run.id, cell), loneInput(x, { h0, c0 }), signal);
  let got = NaN;
  try {
    const source = steps - 1 - run.lag;
    for await (const chunk of layerRun.final('forward', { signal, chunkBytes: CHUNK_BYTES })) {
      const norms = run.state === 'h' ? chunk.lognormH : chunk.lognormC;
      if (source >= chunk.start && source < chunk.start + chunk.count) got = norms![source - chunk.start]!;
    }
  } finally {
    layerRun.dispose();
  }
  const { id, what, source, expected } = run;
  const tolerance = engine.name === 'reference' ? run.tolerance : Math.max(run.tolerance, FLOAT32_LOG_NORM_TOLERANCE);
  return {
    id,
    engine: engine.name,
    what,
    expected,
    got,
    tolerance,
    passed: isAsExpected({ expected, tolerance }, got),
    source,
  };
}

function asText(
  rows: readonly CheckedRow[],
  failed: number,
  missing: readonly { engine: string; why: string }[],
): string {
  const show = (value: number | string): string =>
    typeof value === 'string' ? value : Number(value.toPrecision(7)).toString();
  const table = rows.map((row) => [
    row.passed ? 'ok' : 'FAILED',
    row.id,
    row.engine,
    show(row.expected),
    show(row.got),
    row.tolerance.toExponential(0),
    row.what,
  ]);
  const lines = columns([['', 'id', 'engine', 'expected', 'got', 'tolerance', 'what'], ...table]);
  for (const { engine, why } of missing) lines.push(`not checked: ${engine}: ${why}`);
  lines.push('', failed === 0 ? `all ${rows.length} as expected` : `${failed} of ${rows.length} failed`);
  return `${lines.join('\n')}\n`;
}
