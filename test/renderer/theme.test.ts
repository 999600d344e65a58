// @vitest-environment node
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { paletteOf, rgbOf, type Palette, type ThemeName } from '../../src/charts/palette';

const CSS = readFileSync(new URL('../../src/renderer/styles/tokens.css', import.meta.url), 'utf8');

/** The custom properties of a theme that are plain colours. */
function tokensOf(theme: ThemeName): Readonly<Record<string, string>> {
  const block = new RegExp(`\\[data-theme='${theme}'\\] \\{([^}]*)\\}`).exec(CSS)![1]!;
  return Object.fromEntries(
    [...block.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{6});/g)].map((match) => [match[1]!, match[2]!]),
  );
}

/** Relative luminance of WCAG 2.2. */
function luminanceOf(colour: string): number {
  const [red, green, blue] = rgbOf(colour).map((byte) => {
    const part = byte / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrastOf(a: string, b: string): number {
  const [low, high] = [luminanceOf(a), luminanceOf(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

const SHARED: readonly (readonly [string, (palette: Palette) => string])[] = [
  ['panel', (palette) => palette.panel],
  ['text', (palette) => palette.text],
  ['text-muted', (palette) => palette.textMuted],
  ['grid', (palette) => palette.grid],
  ['axis', (palette) => palette.axis],
  ['hidden', (palette) => palette.hidden],
  ['cell', (palette) => palette.cell],
  ['vanishing', (palette) => palette.verdicts.vanishing],
  ['carried', (palette) => palette.verdicts.carried],
  ['exploding', (palette) => palette.verdicts.exploding],
  ['undetermined', (palette) => palette.verdicts.undetermined],
  ['zero', (palette) => palette.zero],
  ['missing', (palette) => palette.missing],
  ['not-finite', (palette) => palette.notFinite],
];

describe.each(['light', 'dark'] as const)('the %s look', (theme) => {
  const tokens = tokensOf(theme);
  const palette = paletteOf(theme);

  it.each(SHARED)('has the same --%s in the style sheet and in pictures', (name, of) => {
    expect(tokens[name]).toBe(of(palette));
  });

  it.each([
    'text',
    'text-muted',
    'accent',
    'hidden',
    'cell',
    'vanishing',
    'carried',
    'exploding',
    'undetermined',
    'problem-text',
  ])('writes --%s with the contrast of WCAG AA on every surface it stands on', (name) => {
    const surfaces = name === 'problem-text' ? ['problem-panel'] : ['panel', 'window', 'field', 'selected'];
    for (const surface of surfaces) {
      expect(contrastOf(tokens[name]!, tokens[surface]!), `on --${surface}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('writes on notices and on the main button with that contrast too', () => {
    expect(contrastOf(tokens['text']!, tokens['notice-panel']!)).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(tokens['text-muted']!, tokens['problem-panel']!)).toBeGreaterThanOrEqual(4.5);
    expect(contrastOf(tokens['on-accent']!, tokens['accent']!)).toBeGreaterThanOrEqual(4.5);
    for (const colour of Object.values(palette.gates))
      expect(contrastOf(colour, palette.panel)).toBeGreaterThanOrEqual(3);
  });

  it('keeps the colours of verdicts apart from those of h and c', () => {
    const curves = [palette.hidden, palette.cell];
    for (const verdict of Object.values(palette.verdicts)) expect(curves).not.toContain(verdict);
  });
});
