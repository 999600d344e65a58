import { describe, expect, it } from 'vitest';
import { aroundAll, levelOf } from '../../src/renderer/drawing/use-level-map';

const view = (columns: number, rows: number) => ({ columnStart: 5, columnEnd: 5 + columns, rowStart: 0, rowEnd: rows });

describe('the levels of a large map', () => {
  it('have at most as many pixels as the screen, and no coarser ones than needed', () => {
    expect(levelOf(view(500, 500), 500, 500)).toBe(0);
    expect(levelOf(view(100, 100), 500, 500)).toBe(0);
    expect(levelOf(view(501, 500), 500, 500)).toBe(1);
    expect(levelOf(view(1000, 500), 500, 500)).toBe(1);
    expect(levelOf(view(2000, 2000), 560, 560)).toBe(2);
    expect(levelOf(view(10, 5000), 560, 560)).toBe(4);
  });

  it('are painted over where something has changed, and nowhere else', () => {
    expect(aroundAll([])).toBeNull();
    const one = { columnStart: 4, columnEnd: 6, rowStart: 10, rowEnd: 11 };
    expect(aroundAll([one])).toEqual(one);
    const two = { columnStart: 0, columnEnd: 5, rowStart: 12, rowEnd: 20 };
    expect(aroundAll([one, two])).toEqual({ columnStart: 0, columnEnd: 6, rowStart: 10, rowEnd: 20 });
  });
});
