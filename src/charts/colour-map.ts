/**
 * Look-up tables from a number in 0 .. 1 to a colour: sequential for log norms and gates, diverging for signed values.
 *
 * Both are straight paths in OKLab lightness, so equal steps look equal, stay ordered in grey print and for colour-blind
 * eyes. A dark window gets a diverging map with a dark middle.
 *
 * Source: Ottosson 2020, "A perceptual color space for image processing" (OKLab matrices).
 */
import type { ThemeName } from './palette';

/** Number of colours of a table. */
export const LOOK_UP_SIZE = 256;

/** RGBA bytes of `LOOK_UP_SIZE` colours. */
export type LookUpTable = Uint8ClampedArray;

/** Which kind of values a picture shows. */
export type ColourScaleKind = 'sequential' | 'diverging';

const toGamma = (linear: number): number =>
  linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;

/** Linear sRGB of an OKLCh colour; may leave 0 .. 1. */
function linearRgb(lightness: number, chroma: number, hue: number): readonly [number, number, number] {
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** sRGB bytes of an OKLCh colour, chroma lowered until it can be shown. */
function shownRgb(lightness: number, chroma: number, hue: number): readonly number[] {
  let low = 0;
  let high = chroma;
  const fits = (value: number): boolean =>
    linearRgb(lightness, value, hue).every((part) => part >= -1e-4 && part <= 1.0001);
  if (!fits(chroma)) {
    for (let step = 0; step < 24; step += 1) {
      const middle = (low + high) / 2;
      if (fits(middle)) low = middle;
      else high = middle;
    }
    chroma = low;
  }
  return linearRgb(lightness, chroma, hue).map((part) => toGamma(Math.min(1, Math.max(0, part))) * 255);
}

/** Fills a table from a path of OKLCh colours. */
function tableOf(path: (position: number) => readonly [number, number, number]): LookUpTable {
  const table = new Uint8ClampedArray(LOOK_UP_SIZE * 4);
  for (let index = 0; index < LOOK_UP_SIZE; index += 1) {
    const rgb = shownRgb(...path(index / (LOOK_UP_SIZE - 1)));
    table.set([rgb[0] ?? 0, rgb[1] ?? 0, rgb[2] ?? 0, 255], index * 4);
  }
  return table;
}

/** Position of the hues (teal) where sRGB allows the least chroma. */
const TEAL = 0.45;

/** Dark violet through blue and green to yellow; the chroma stays inside sRGB all along, so that no step stands out. */
const sequentialPath = (position: number): readonly [number, number, number] => {
  const away = (position - TEAL) / (position < TEAL ? TEAL : 1 - TEAL);
  const chroma = 0.095 + (position < TEAL ? 0.022 : 0.06) * away ** 2;
  return [0.25 + 0.67 * position, chroma, 300 - 195 * position];
};

/** Blue for negative, red for positive, a pale (or, in the dark, deep) middle. */
function divergingPath(theme: ThemeName): (position: number) => readonly [number, number, number] {
  return (position) => {
    const signed = 2 * position - 1;
    const size = Math.abs(signed);
    const lightness = theme === 'light' ? 0.97 - 0.55 * size : 0.26 + 0.5 * size;
    return [lightness, 0.19 * size ** 0.9, signed < 0 ? 255 : 27];
  };
}

const tables = new Map<string, LookUpTable>();

/**
 * The table of a kind of scale in a theme; made once and shared, not to be written to.
 *
 * @param kind - Sequential or diverging.
 * @param theme - Which look is on; a sequential scale is the same in both.
 */
export function lookUpTable(kind: ColourScaleKind, theme: ThemeName): LookUpTable {
  const key = kind === 'sequential' ? kind : `${kind}-${theme}`;
  let table = tables.get(key);
  if (!table) {
    table = tableOf(kind === 'sequential' ? sequentialPath : divergingPath(theme));
    tables.set(key, table);
  }
  return table;
}

/**
 * OKLab lightness of an sRGB colour, 0 to 1; what the tests hold the tables to.
 *
 * @param red - 0 to 255.
 * @param green - 0 to 255.
 * @param blue - 0 to 255.
 */
export function lightnessOf(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map((byte) => {
    const part = byte / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}
