/**
 * A summary as the few lines that a person reads in a terminal.
 */
import { formatHorizon, formatSeconds, formatShare, formatSlopeInterval, formatSteps } from '../charts/number-format';
import type { LayerVerdict, StateVerdict, Summary } from '../core/summary';

/**
 * The lines of one layer's verdict.
 *
 * @param summary - The summary.
 */
export function verdictText(summary: Summary): string {
  const { layer, run, engine } = summary;
  const size = `${layer.kind} ${layer.units} <- ${layer.inputDim}`;
  const lines = [
    `${layer.name}  ${size}, ${layer.direction}; ${run.batch} × ${run.steps} steps; ${engine.version} in ${formatSeconds(run.seconds)}`,
    ...stateLines('h', summary.hidden, run.steps),
    ...(summary.cell ? stateLines('c', summary.cell, run.steps) : []),
  ];
  for (const { what, assumed } of summary.assumptions) lines.push(`  assumed: ${what}: ${assumed}`);
  // Diagnostics that were left out are of interest only where diagnostics are shown: in the JSON and the report.
  const shown = summary.warnings.filter(({ code }) => code !== 'diagnostics/left-out');
  for (const { code, message } of shown) lines.push(`  warning: ${code}: ${message}`);
  return `${lines.join('\n')}\n`;
}

function stateLines(name: string, verdict: LayerVerdict, steps: number): string[] {
  const lines = [figures(name, verdict, steps), `     ${verdict.why}`];
  if (verdict.forward) lines.push(figures(`  ${name} forward`, verdict.forward, steps));
  if (verdict.backward) lines.push(figures(`  ${name} backward`, verdict.backward, steps));
  return lines;
}

function figures(name: string, verdict: StateVerdict, steps: number): string {
  const parts = [
    `  ${name}  ${verdict.verdict}`,
    `slope ${formatSlopeInterval(verdict.slope, verdict.slopeInterval)} nats/step`,
    `half-life ${formatSteps(verdict.halfLife)}`,
    `horizon ${formatHorizon(verdict.horizon, steps)}`,
    `confidence ${formatShare(verdict.confidence)}`,
  ];
  return parts.join('   ');
}
