/**
 * One self-contained HTML page of one or several runs: verdict, pictures, tables, settings, formulas with their sources.
 *
 * Pictures are SVG inside the page, made by the same chart functions as the window's. The page loads nothing and runs
 * nothing; every text that came from a file is escaped.
 */
import { CustomChart, LineChart, BarChart } from 'echarts/charts';
import {
  DataZoomComponent,
  GraphicComponent,
  GridComponent,
  MarkLineComponent,
  TitleComponent,
  TooltipComponent,
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { ChartOption } from '../charts/axis-style';
import { diagnosticRows } from '../charts/diagnostic-texts';
import { curveOverLags, curveOverSteps, fittedLine } from '../charts/norm-curve';
import { normChartOption, type NormChartCurve, type NormChartInput } from '../charts/norm-chart';
import {
  formatBytes,
  formatConfidence,
  formatCount,
  formatSeconds,
  formatSlopeInterval,
  formatSteps,
  formatVerdictHorizon,
} from '../charts/number-format';
import { paletteOf } from '../charts/palette';
import { saturationChartOption } from '../charts/saturation-chart';
import type { Direction, StateName } from '../core/jacobian';
import { projectionText, type StateVerdict, type Summary } from '../core/summary';
import type { StartedEvent } from '../shared/run';
import { seriesKey, type RunRecord } from '../shared/run-record';
import { fitStart } from '../charts/fit-start';
import { escapeHtml, htmlTable } from './html';
import { REPORT_STYLE } from './report-style';
import { reportFormulas } from './report-formulas';

use([
  LineChart,
  CustomChart,
  BarChart,
  GraphicComponent,
  GridComponent,
  TooltipComponent,
  MarkLineComponent,
  DataZoomComponent,
  TitleComponent,
  SVGRenderer,
]);

const PALETTE = paletteOf('light');
/** The width between the paddings of a page of 1040 px. */
const PICTURE_WIDTH = 958;
const PICTURE_HEIGHT = 380;

/** A run that went through. */
interface FinishedRun {
  readonly record: RunRecord;
  readonly started: StartedEvent;
  readonly summary: Summary;
}

/**
 * The report of runs over one model.
 *
 * @param records - Finished runs, one per layer; runs without a summary are left out.
 * @param title - Name of the model's file.
 */
export function renderReport(records: readonly RunRecord[], title: string): string {
  const runs = records.flatMap((record) =>
    record.started && record.summary ? [{ record, started: record.started, summary: record.summary }] : [],
  );
  const sections = runs.map(renderRun).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escapeHtml(title)} - Tempograd</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header><p class="brand">Tempograd</p><h1>${escapeHtml(title)}</h1>${runs[0] ? modelLine(runs[0].summary) : ''}</header>
<main>
${sections}
<section><h2>Formulas and sources</h2>${reportFormulas()}</section>
</main>
</body>
</html>
`;
}

function modelLine({ model, engine, tempograd }: Summary): string {
  const parts = [model.producer, formatBytes(model.bytes), `SHA-256 ${model.sha256.slice(0, 16)}…`];
  return `<p class="muted">${parts.map(escapeHtml).join(' · ')}<br>${escapeHtml(`Tempograd ${tempograd}, ${engine.version}: ${engine.reason}`)}</p>`;
}

function renderRun(run: FinishedRun): string {
  const { summary, started } = run;
  const { layer } = summary;
  const size = `${layer.kind} ${layer.units} ← ${layer.inputDim}${projectionText(layer)}`;
  return `<section>
<h2>${escapeHtml(layer.name)} <small>${escapeHtml(size)} · ${escapeHtml(layer.direction)} · T ${started.steps}, B ${started.batch}</small></h2>
<div class="cards">${verdictCard('Hidden state h', summary.hidden, started.steps)}${summary.cell ? verdictCard('Cell state c', summary.cell, started.steps) : ''}</div>
${figure('How far the last state reaches back', 'Frobenius norm of ∂h_T/∂x_s and ∂c_T/∂x_s against the lag', lagChart(run))}
${figure('Sensitivity at the same timestep', 'Frobenius norm of ∂h_t/∂x_t and ∂c_t/∂x_t over time', stepChart(run))}
${saturationFigure(summary)}
${verdictTable(summary, started)}
${diagnosticsTable(summary)}
${settingsTable(run)}
${notes(
  'Assumed',
  summary.assumptions.map((a) => `${a.what}: ${a.assumed} (${a.why})`),
)}
${notes(
  'Warnings',
  summary.warnings.map((w) => `${w.code}: ${w.message} ${w.remedy}`),
)}
</section>`;
}

function verdictCard(title: string, verdict: StateVerdict, steps: number): string {
  const figures: readonly (readonly [string, string])[] = [
    [formatSlopeInterval(verdict.slope, verdict.slopeInterval), 'nats per step'],
    [formatSteps(verdict.halfLife), (verdict.slope ?? 0) > 0 ? 'doubling, steps' : 'half-life, steps'],
    [formatVerdictHorizon(verdict, steps), 'horizon, steps'],
    [formatConfidence(verdict.confidence), 'confidence'],
  ];
  const cells = figures.map(([value, name]) => `<div><b>${escapeHtml(value)}</b><span>${name}</span></div>`).join('');
  return `<article class="card"><div class="answer"><div><span>${title}</span><strong class="${verdict.verdict}">${verdict.verdict}</strong></div>${cells}</div><p>${withPowers(escapeHtml(verdict.why))}</p></article>`;
}

function figure(title: string, caption: string, svg: string | null): string {
  if (svg === null) return '';
  return `<figure><figcaption><b>${title}</b> ${caption}</figcaption>${svg}</figure>`;
}

/** The curves of one mode, one per state and direction. */
function curvesOf(run: FinishedRun, mode: 'diagonal' | 'final'): readonly NormChartCurve[] {
  const { record, started, summary } = run;
  const states: readonly StateName[] = started.hasCell ? ['h', 'c'] : ['h'];
  const isTwoWay = started.directions.length === 2;
  return states.flatMap((state) =>
    started.directions.flatMap((direction) => {
      const series = record.series.get(seriesKey(mode, state, direction));
      if (!series) return [];
      const norms = {
        total: series.total,
        computed: series.computed,
        batch: started.batch,
        steps: started.sourceSteps,
      };
      const mask = started.sourceSteps === started.steps ? (record.states?.mask ?? null) : null;
      const curve = mode === 'final' ? curveOverLags(norms, direction, mask, null) : curveOverSteps(norms, null);
      const verdict = mode === 'final' ? verdictOf(summary, state, isTwoWay ? direction : null) : null;
      const horizon = verdict?.horizon ?? null;
      const label = isTwoWay ? `${state} ${direction === 'forward' ? '→' : '←'}` : state;
      return [
        {
          label,
          colour: state === 'h' ? PALETTE.hidden : PALETTE.cell,
          curve,
          showBand: started.batch > 1,
          fit: verdict ? fittedLine(curve, verdict.slope, fitStart(summary.run.warmUp ?? null, mask, norms)) : null,
          mark: horizon === null ? null : { position: horizon, text: `horizon of ${label} ${formatCount(horizon)}` },
        },
      ];
    }),
  );
}

function verdictOf(summary: Summary, state: StateName, direction: Direction | null): StateVerdict | null {
  const joint = state === 'h' ? summary.hidden : summary.cell;
  return direction === null ? joint : (joint?.[direction] ?? null);
}

function lagChart(run: FinishedRun): string | null {
  const curves = curvesOf(run, 'final');
  return curves.length === 0 ? null : drawCurves(curves, run.started.sourceSteps, 'lag, timesteps', 'lag');
}

function stepChart(run: FinishedRun): string | null {
  const curves = curvesOf(run, 'diagonal');
  return curves.length === 0 ? null : drawCurves(curves, run.started.steps, 'timestep t', 't');
}

function drawCurves(curves: readonly NormChartCurve[], length: number, xName: string, positionName: string): string {
  const input: NormChartInput = { curves, length, xName, positionName, selected: null };
  return drawSvg(normChartOption(input, PALETTE), PICTURE_WIDTH, PICTURE_HEIGHT);
}

function saturationFigure(summary: Summary): string {
  const gates = Object.entries(summary.diagnostics.saturation ?? {}).map(([gate, share]) => ({ gate, ...share }));
  if (gates.length === 0) return '';
  const svg = drawSvg(saturationChartOption(gates, PALETTE), PICTURE_WIDTH / 2, 60 + 34 * gates.length);
  return figure('Saturated gates', 'share of (timestep, sequence, unit) below 0.1 (left) and above 0.9 (right)', svg);
}

function drawSvg(option: ChartOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ ...option, tooltip: { show: false }, animation: false });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function verdictTable(summary: Summary, started: StartedEvent): string {
  const rows: (readonly [string, StateVerdict])[] = [];
  for (const [state, verdict] of [
    ['h', summary.hidden],
    ['c', summary.cell],
  ] as const) {
    if (!verdict) continue;
    rows.push([state, verdict]);
    if (verdict.forward) rows.push([`${state} forward`, verdict.forward]);
    if (verdict.backward) rows.push([`${state} backward`, verdict.backward]);
  }
  const head = [
    'State',
    'Verdict',
    'Slope, nats/step',
    'Largest exponent',
    rows.some(([, { slope }]) => (slope ?? 0) > 0) ? 'Half-life or doubling' : 'Half-life',
    'Horizon',
    'Mean lag',
    'Confidence',
  ];
  const body = rows.map(([name, v]) => [
    name,
    v.verdict,
    formatSlopeInterval(v.slope, v.slopeInterval),
    formatSlopeInterval(v.lyapunovMax, null),
    formatSteps(v.halfLife),
    formatVerdictHorizon(v, started.steps),
    formatSteps(v.meanLag),
    formatConfidence(v.confidence),
  ]);
  return htmlTable('Verdict in numbers', head, body);
}

function diagnosticsTable({ diagnostics }: Summary): string {
  const rows = diagnosticRows(diagnostics).map(({ title, of, value }) => [title, of, value]);
  return rows.length === 0 ? '' : htmlTable('Diagnostics', ['Diagnostic', 'Of', 'Value'], rows);
}

function settingsTable({ summary, started }: FinishedRun): string {
  const { run, engine, layer } = summary;
  const rows = [
    ['Input', run.input ?? `${run.randomInput ?? 'random'}, seed ${run.seed ?? 0}`],
    ['Sequences × timesteps', `${run.batch} × ${run.steps}`],
    ['With respect to', run.wrt],
    ['Modes', run.modes.join(', ')],
    ['Engine', `${engine.version} (${engine.name})`],
    ['Activation', [layer.activation, layer.recurrentActivation].filter((name) => name !== null).join(', gates ')],
    ['Work', `${(started.estimate.flop / 1e9).toPrecision(3)} GFLOP in ${formatSeconds(run.seconds)}`],
    ['Peak memory of the engine', formatBytes(run.peakBytes)],
  ];
  return htmlTable('Settings', ['Setting', 'Value'], rows);
}

function notes(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `<h3>${title}</h3><ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`;
}

/** Powers of ten and the index of d.._T as they are written on paper; the text is escaped already. */
function withPowers(text: string): string {
  return text
    .replace(/10\^(-?)([\d.]+\d|\d+)/g, (_, sign: string, digits: string) => `10<sup>${sign ? '−' : ''}${digits}</sup>`)
    .replace(/\bd([hc])_T\/dx/g, 'd$1<sub>T</sub>/dx');
}
