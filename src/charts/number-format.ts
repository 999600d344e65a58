/**
 * Numbers as people read them; the only place that turns a number into text for a picture, a table or a card.
 *
 * Logs are natural everywhere inside; what is shown is a decimal number or a power of ten, made here from the log itself,
 * so that norms far below the smallest float are still written out. The minus sign is U+2212.
 */

/** The typographic minus sign. */
export const MINUS = '\u2212';

/** What stands for a number that is not defined. */
export const UNDEFINED_NUMBER = '\u2014';

const SUPERSCRIPTS = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

const withMinus = (text: string): string => text.replaceAll('-', MINUS);

/** Text of NaN and the infinities, null for an ordinary number. */
function textOfSpecial(value: number): string | null {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '∞';
  return value === -Infinity ? `${MINUS}∞` : null;
}

/**
 * A number with `digits` places after the point, a dash when it is not defined.
 *
 * @param value - Any number, or null.
 * @param digits - Places after the decimal point.
 */
export function formatFixed(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined) return UNDEFINED_NUMBER;
  const text = textOfSpecial(value) ?? value.toFixed(digits);
  return withMinus(/^-0(\.0*)?$/.test(text) ? text.slice(1) : text);
}

/**
 * A number with `digits` significant digits, in powers of ten when it is very large or very small.
 *
 * @param value - Any number, or null.
 * @param digits - Significant digits.
 */
export function formatNumber(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return UNDEFINED_NUMBER;
  const special = textOfSpecial(value);
  if (special !== null) return special;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return withMinus(value.toExponential(digits - 1).replace('+', ''));
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return withMinus(value.toFixed(places));
}

/**
 * A slope in nats per step with enough digits to be useful near zero.
 *
 * @param value - Nats per step, or null.
 */
export function formatSlope(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNDEFINED_NUMBER;
  const size = Math.abs(value);
  if (size !== 0 && size < 5e-4) return formatNumber(value, 2);
  return formatFixed(value, size >= 1 ? 2 : 3);
}

/**
 * A slope with the half width of its interval: `−0.042 ± 0.003`.
 *
 * @param slope - Nats per step, or null.
 * @param interval - Lower and upper end, or null.
 */
export function formatSlopeInterval(slope: number | null, interval: readonly [number, number] | null): string {
  if (slope === null || interval === null) return formatSlope(slope);
  const half = (interval[1] - interval[0]) / 2;
  const places = half === 0 ? 3 : Math.min(6, Math.max(3, -Math.floor(Math.log10(half))));
  return `${formatFixed(slope, places)} ± ${formatFixed(half, places)}`;
}

/**
 * A positive quantity from its natural log: `8.61e−3`, `0` for an exact zero.
 *
 * @param logarithm - Natural log; `-Infinity` for an exact zero.
 * @param digits - Significant digits.
 */
export function formatFromLog(logarithm: number, digits = 3): string {
  if (Number.isNaN(logarithm)) return 'NaN';
  if (logarithm === -Infinity) return '0 (exact)';
  if (logarithm === Infinity) return '∞';
  const decades = logarithm / Math.LN10;
  let exponent = Math.floor(decades);
  let mantissa = (10 ** (decades - exponent)).toFixed(digits - 1);
  if (Number(mantissa) >= 10) {
    exponent += 1;
    mantissa = (1).toFixed(digits - 1);
  }
  if (exponent >= -2 && exponent <= 3) return formatNumber(10 ** decades, digits);
  return `${mantissa}e${withMinus(String(exponent))}`;
}

/**
 * A whole power of ten: `10⁻³`; `1` stays `10⁰`.
 *
 * @param exponent - The decade, a whole number.
 */
export function formatDecade(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]);
  return `10${exponent < 0 ? '⁻' : ''}${digits.join('')}`;
}

/**
 * A whole number with thin spaces between groups of three digits: `61 568`.
 *
 * @param value - A whole number.
 */
export function formatCount(value: number): string {
  const digits = String(Math.abs(Math.round(value))).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  return value < 0 ? MINUS + digits : digits;
}

/**
 * A number of steps: one place below a hundred, none above; a dash when it is not defined.
 *
 * @param steps - Steps, or null.
 */
export function formatSteps(steps: number | null | undefined): string {
  if (steps === null || steps === undefined) return UNDEFINED_NUMBER;
  if (!Number.isFinite(steps)) return formatFixed(steps, 0);
  if (Math.abs(steps) >= 1e6) return formatNumber(steps, 3);
  return Math.abs(steps) < 100 ? formatFixed(steps, 1) : formatCount(steps);
}

/**
 * A horizon: the lag, or `> T` when it is not reached within T steps.
 *
 * @param horizon - First lag below the threshold, or null.
 * @param steps - T.
 */
export function formatHorizon(horizon: number | null, steps: number): string {
  return horizon === null ? `> ${formatCount(steps)}` : formatCount(horizon);
}

/**
 * The horizon of a verdict; a dash where nothing was read: without a slope, a horizon that is not there says nothing
 * about T.
 *
 * @param verdict - The verdict.
 * @param steps - T.
 */
export function formatVerdictHorizon(
  { slope, horizon }: { readonly slope: number | null; readonly horizon: number | null },
  steps: number,
): string {
  return slope === null && horizon === null ? UNDEFINED_NUMBER : formatHorizon(horizon, steps);
}

/**
 * A share as a percentage without places: `97 %`; `< 1 %` and `> 99 %` where rounding would claim certainty.
 *
 * @param share - 0 to 1, or null.
 */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined) return UNDEFINED_NUMBER;
  if (!Number.isFinite(share)) return formatFixed(share, 0);
  if (share > 0 && share < 0.005) return '< 1 %';
  if (share < 1 && share >= 0.995) return '> 99 %';
  return `${Math.round(share * 100)} %`;
}

/**
 * A probability as a percentage, never `100 %`: a confidence is not a certainty.
 *
 * @param probability - 0 to 1, or null.
 */
export function formatConfidence(probability: number | null | undefined): string {
  return probability !== null && probability !== undefined && probability >= 0.995
    ? '> 99 %'
    : formatShare(probability);
}

/**
 * A number of bytes in decimal units: `38 MB`.
 *
 * @param bytes - Bytes.
 */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const places = unit === 0 || value >= 10 ? 0 : 1;
  return `${value.toFixed(places)} ${units[unit]}`;
}

/**
 * A duration: `8 ms`, `0.41 s`, `2 min 5 s`, `3 h 20 min`.
 *
 * @param seconds - Seconds.
 */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.001) return '< 1 ms';
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}
