/**
 * The colours of pictures, light and dark; the style sheet of the window holds the same values and a test compares them.
 *
 * h is blue and c is orange in every picture. Verdict colours stand for verdicts and for nothing else.
 */
import type { VerdictLabel } from '../core/summary';

/** Which of the two looks is on. */
export type ThemeName = 'light' | 'dark';

/** The colours that pictures use, as `#rrggbb`. */
export interface Palette {
  readonly theme: ThemeName;
  readonly panel: string;
  readonly text: string;
  readonly textMuted: string;
  readonly grid: string;
  readonly axis: string;
  readonly hidden: string;
  readonly cell: string;
  /** Gates by name; none of them is the colour of a state or of a verdict. */
  readonly gates: Readonly<Record<string, string>>;
  readonly verdicts: Readonly<Record<VerdictLabel, string>>;
  /** An exact zero in a colour image. */
  readonly zero: string;
  /** A cell that has not been computed (yet). */
  readonly missing: string;
  /** NaN or an infinity. */
  readonly notFinite: string;
}

const LIGHT: Palette = {
  theme: 'light',
  panel: '#ffffff',
  text: '#15181c',
  textMuted: '#5a6472',
  grid: '#e6e9ed',
  axis: '#aab2bd',
  hidden: '#2a57cf',
  cell: '#ad5200',
  gates: { i: '#2e7d8c', z: '#2e7d8c', f: '#3c4a5e', r: '#3c4a5e', g: '#6b7a1f', n: '#6b7a1f', o: '#94603f' },
  verdicts: { vanishing: '#7a4896', carried: '#1d7a4b', exploding: '#c01f45', undetermined: '#5a6472' },
  zero: '#c3c8d0',
  missing: '#eef0f3',
  notFinite: '#e0218a',
};

const DARK: Palette = {
  theme: 'dark',
  panel: '#1b1f26',
  text: '#e8ebef',
  textMuted: '#9da6b3',
  grid: '#2b313a',
  axis: '#5a6472',
  hidden: '#7d9cff',
  cell: '#f29b4c',
  gates: { i: '#6fc0cf', z: '#6fc0cf', f: '#c6d0de', r: '#c6d0de', g: '#b3c45a', n: '#b3c45a', o: '#d0a186' },
  verdicts: { vanishing: '#c096dc', carried: '#5fc596', exploding: '#ff7f95', undetermined: '#9da6b3' },
  zero: '#4a515d',
  missing: '#242932',
  notFinite: '#ff5fb8',
};

/**
 * The colours of a theme.
 *
 * @param theme - Which look is on.
 */
export function paletteOf(theme: ThemeName): Palette {
  return theme === 'dark' ? DARK : LIGHT;
}

/**
 * A colour with an opacity, as `rgba()`.
 *
 * @param colour - `#rrggbb`.
 * @param alpha - 0 to 1.
 */
export function withAlpha(colour: string, alpha: number): string {
  const [red, green, blue] = rgbOf(colour);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/**
 * Red, green and blue of a colour, 0 to 255.
 *
 * @param colour - `#rrggbb`.
 */
export function rgbOf(colour: string): readonly [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
