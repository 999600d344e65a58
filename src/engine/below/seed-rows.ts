/** du/du for a tile of steps of u: where every tile begins. */
import { NO_EXPONENT, ScaledColumns, type TileShape } from './scaled-columns';
import type { StackPath } from './stack-path';
import type { StackTile } from './stack-plan';
import type { TangentRow, TangentRows } from './tangent-rows';

/**
 * The identity at the steps of a tile, for each layer that u enters at; the caller's to release.
 *
 * @param path - The layers.
 * @param tile - Which steps.
 * @param shape - The tile's columns.
 */
export function seedRows(path: StackPath, tile: StackTile, shape: TileShape): ReadonlyMap<number, TangentRows> {
  const { ops, sources, width } = shape;
  const seeds = new Map<number, TangentRows>();
  let first = 0;
  for (const start of path.starts) {
    const [, steps, features] = path.outputs.get(start)![0]!.shape as [number, number, number];
    const offset = first;
    const rows = Array.from({ length: steps }, (_, t): TangentRow => {
      const k = t - tile.first;
      if (k < 0 || k >= sources) return [null];
      const data = new Float32Array(features * sources * width);
      for (let d = 0; d < features; d++) data[(d * sources + k) * width + offset + d] = 1;
      const exponents = new Int32Array(sources).fill(NO_EXPONENT);
      exponents[k] = 0;
      return [new ScaledColumns(shape, ops.upload(data, [features, sources * width]), exponents)];
    });
    seeds.set(start, { widths: [features], rows });
    first += features;
  }
  return seeds;
}
