/** The curves of `--growth` as one SVG with two panels, both axes logarithmic. */
import type { GrowthCurve } from './growth-curve';

const WIDTH = 960;
const HEIGHT = 420;
const PANEL = { left: 70, top: 50, width: 370, height: 290, gap: 110 } as const;
/** Told apart by colour, by dash and by the words beside them. */
const STYLES = {
  final: { colour: '#1f5fa8', dash: '' },
  pairs: { colour: '#b3541e', dash: '6 3' },
} as const;
const TITLES = { T: 'by T (H = 256, D = 64)', H: 'by H (T = 1000, D = 64)' } as const;

/**
 * The picture.
 *
 * @param curves - What was measured.
 */
export function growthPlot(curves: readonly GrowthCurve[]): string {
  const panels = (['T', 'H'] as const).map((axis, at) =>
    panel(
      axis,
      curves.filter((curve) => curve.axis === axis && curve.points.length > 0),
      PANEL.left + at * (PANEL.width + PANEL.gap),
    ),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<title>Time of final and of all pairs against T and H</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel(axis: 'T' | 'H', curves: readonly GrowthCurve[], left: number): string {
  const points = curves.flatMap((curve) => curve.points);
  if (points.length === 0) return '';
  const xs = [...new Set(points.map(({ value }) => value))].sort((a, b) => a - b);
  const seconds = points.map((point) => point.seconds);
  const low = Math.floor(Math.log10(Math.min(...seconds)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...seconds))));
  const span = Math.log(xs[xs.length - 1] / xs[0]) || 1;
  const x = (value: number): string => (left + (PANEL.width * Math.log(value / xs[0])) / span).toFixed(1);
  const y = (value: number): string =>
    (PANEL.top + (PANEL.height * (high - Math.log10(value))) / (high - low)).toFixed(1);
  const bottom = PANEL.top + PANEL.height;
  const right = left + PANEL.width;
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  return [
    `<text x="${left}" y="${PANEL.top - 24}" font-size="14">Seconds ${TITLES[axis]}</text>`,
    ...decades.map(
      (decade) =>
        `<path d="M${left} ${y(10 ** decade)}H${right}" stroke="#ddd"/>` +
        `<text x="${left - 8}" y="${y(10 ** decade)}" text-anchor="end" dy="4">${10 ** decade}</text>`,
    ),
    ...xs.map((value) => `<text x="${x(value)}" y="${bottom + 18}" text-anchor="middle">${value}</text>`),
    `<text x="${left + PANEL.width / 2}" y="${bottom + 38}" text-anchor="middle">${axis}</text>`,
    ...curves.map((curve, at) => {
      const { colour, dash } = STYLES[curve.mode];
      const line = curve.points.map(({ value, seconds: own }) => `${x(value)},${y(own)}`).join(' ');
      const dots = curve.points.map(
        ({ value, seconds: own }) => `<circle cx="${x(value)}" cy="${y(own)}" r="3" fill="${colour}"/>`,
      );
      const label = `${curve.mode}: ${axis}^${curve.exponent.toFixed(2)}`;
      return (
        `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>` +
        `${dots.join('')}<text x="${left + 8}" y="${PANEL.top + 16 + 18 * at}" fill="${colour}">${label}</text>`
      );
    }),
  ].join('\n');
}
