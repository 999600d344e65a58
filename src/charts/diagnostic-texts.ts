/**
 * Diagnostics and gates in words: one table for the window and the report, so that both say the same.
 *
 * The summary's keys are for programs; nobody is to read `orthogonalityMargin` in a table.
 */
import type { Diagnostics, LossGradientSummary } from '../core/summary';
import { formatNumber, formatShare, formatSteps } from './number-format';

/** Gates with their meaning. */
export const GATE_WORDS: Readonly<Record<string, string>> = {
  i: 'input gate',
  f: 'forget gate',
  g: 'candidate',
  o: 'output gate',
  z: 'update gate',
  r: 'reset gate',
  n: 'candidate',
  h: 'state',
};

/** A diagnostic in words. */
export interface DiagnosticText {
  /** With the unit where there is one. */
  readonly title: string;
  /** What the keys of its map are; `part` has words of its own. */
  readonly of: 'gate' | 'lag' | 'part';
  readonly parts?: Readonly<Record<string, string>>;
  readonly format: (value: number | null) => string;
}

/** Every key that a summary may carry under `diagnostics`, those of docs/cli.md that are yet to come included. */
export type DiagnosticName =
  | keyof Diagnostics
  | 'pascanuBound'
  | 'conditionNumber'
  | 'effectiveRank'
  | 'stableRank'
  | 'kaplanYorkeDimension'
  | 'entropyRate'
  | 'chronoRange';

const plain = (value: number | null): string => formatNumber(value, 4);
const share = (value: number | null): string => (value === null ? formatNumber(null) : formatShare(value));
const ofGate = (title: string): DiagnosticText => ({ title, of: 'gate', format: plain });
const ofLag = (title: string, format = plain): DiagnosticText => ({ title, of: 'lag', format });

/** Every diagnostic in words. */
export const DIAGNOSTIC_TEXTS: Readonly<Record<DiagnosticName, DiagnosticText>> = {
  spectralRadius: ofGate('Spectral radius'),
  spectralNorm: ofGate('Spectral norm'),
  orthogonalityMargin: ofGate('Orthogonality margin'),
  nonNormalPeak: ofGate('Non-normal peak'),
  largestRealPart: ofGate('Largest real part of eigenvalues'),
  meanField: ofGate('Mean field of a random network'),
  parameterSensitivity: { title: 'Parameter sensitivity', of: 'part', format: plain },
  jacobianAudit: { title: 'Deviation from central differences', of: 'part', format: plain },
  pascanuBound: ofGate('Pascanu bound'),
  conditionNumber: ofLag('Condition number'),
  effectiveRank: ofLag('Effective rank'),
  stableRank: ofLag('Stable rank'),
  kaplanYorkeDimension: { title: 'Kaplan-Yorke dimension', of: 'part', format: plain },
  entropyRate: { title: 'Entropy rate, nats per step', of: 'part', format: plain },
  highwayShare: ofLag('Share of the cell highway', share),
  forgetTimescale: {
    title: 'Forget timescale, steps',
    of: 'part',
    parts: { median: 'median of the units', max: 'longest' },
    format: formatSteps,
  },
  chronoRange: {
    title: 'Chrono range, steps',
    of: 'part',
    parts: { 0: 'shortest', 1: 'longest' },
    format: formatSteps,
  },
  saturation: { title: 'Saturated gates', of: 'gate', format: share },
  lossGradient: { title: 'Loss gradient by lag', of: 'part', format: plain },
  receptiveField: {
    title: 'Receptive field, lags',
    of: 'part',
    parts: { mean: 'mean', spread: 'spread', lag95: '95 % lie within' },
    format: formatSteps,
  },
};

/** One value of one diagnostic, as a table shows it. */
export interface DiagnosticRow {
  readonly title: string;
  /** Which gate, lag or part; empty for a single number. */
  readonly of: string;
  readonly value: string;
}

/**
 * The diagnostics of a run as rows of a table.
 *
 * @param diagnostics - Those of a summary.
 */
export function diagnosticRows(diagnostics: Diagnostics): readonly DiagnosticRow[] {
  return Object.entries(diagnostics as Readonly<Record<string, unknown>>).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name === 'lossGradient') return lossRows(value as LossGradientSummary);
    const text = textOf(name);
    const row = (key: string | null, entry: unknown): DiagnosticRow => ({
      title: text.title,
      of: key === null ? '' : wordsOf(text, key),
      value: valueText(text, entry),
    });
    if (typeof value !== 'object' || value === null) return [row(null, value)];
    return Object.entries(value).map(([key, entry]) => row(key, entry));
  });
}

const PARAMETER_WORDS: Readonly<Record<string, string>> = {
  kernel: 'kernel',
  recurrentKernel: 'recurrent kernel',
  bias: 'bias',
};

/** One row a parameter: its norm, how far its terms reach, and which lags its gradient comes from. */
function lossRows({ loss, parameters }: LossGradientSummary): readonly DiagnosticRow[] {
  const { title } = DIAGNOSTIC_TEXTS.lossGradient;
  return Object.entries(parameters).map(([key, { norm, meanLag, lag95, shares }]) => {
    const [name = key, direction] = key.split('_');
    const words = [PARAMETER_WORDS[name] ?? name, ...(direction ? [direction] : [])].join(', ');
    const lags = Object.entries(shares).map(([lag, value]) => `lag ${lag} ${formatNumber(value, 3)}`);
    const reach = `norm ${plain(norm)}, mean lag ${formatSteps(meanLag)}, 95 % within ${formatSteps(lag95)}`;
    return { title: `${title}, ${loss}`, of: words, value: [reach, ...lags].join(', ') };
  });
}

function textOf(name: string): DiagnosticText {
  if (Object.hasOwn(DIAGNOSTIC_TEXTS, name)) return DIAGNOSTIC_TEXTS[name as DiagnosticName];
  throw new Error(`the diagnostic ${name} has no text`);
}

/** `i_backward` -> `i, input gate, backward`; `10` -> `lag 10`. */
function wordsOf({ of, parts }: DiagnosticText, key: string): string {
  const [, name = key, direction] = /^(.*?)(?:_(forward|backward))?$/.exec(key) ?? [];
  const words = {
    gate: GATE_WORDS[name] === undefined ? name : `${name}, ${GATE_WORDS[name]}`,
    lag: name === 'full' ? 'the whole run' : `lag ${name}`,
    part: parts?.[name] ?? name,
  }[of];
  return direction === undefined ? words : `${words}, ${direction}`;
}

/** A number, or several with their names: `left 0.3 %, right 2 %`. */
function valueText({ format }: DiagnosticText, value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([part, number]) => `${part} ${format(number as number | null)}`)
      .join(', ');
  }
  return format(value as number | null);
}
