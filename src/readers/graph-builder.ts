/**
 * The flattened graph while it grows: layers in topological order, names made unique.
 */
import type { Layer, LayerOperation, ValueRef, WeightInfo } from '../core/model';
import { checkLimit, type CountedLimits } from './limits';
import { OBJECT_BYTES } from './object-count';

/** A layer before it has its place. */
export interface NewLayer {
  readonly name: string;
  readonly className: string;
  readonly operation: LayerOperation;
  readonly inputs: readonly ValueRef[];
  readonly weights: readonly WeightInfo[];
  readonly path: string;
  readonly sourceGateOrder: readonly string[];
}

/** A layer and its description. */
const LAYER_BYTES = 16 * OBJECT_BYTES.record;
/** A tensor of a layer and its description. */
const WEIGHT_BYTES = 4 * OBJECT_BYTES.record;

/** Collects layers; a second one of the same name gets `#2`. */
export class GraphBuilder {
  readonly layers: Layer[] = [];
  readonly #names = new Map<string, number>();
  readonly #limits: CountedLimits;

  /**
   * @param limits - Caps on the number of layers.
   */
  constructor(limits: CountedLimits) {
    this.#limits = limits;
  }

  /**
   * Adds a layer behind those it refers to, and gives its index.
   *
   * @param layer - The layer.
   * @throws TempogradError `reader/limit-exceeded`.
   */
  add(layer: NewLayer): number {
    checkLimit('Number of layers', this.layers.length + 1, 'maxLayers', this.#limits);
    this.#limits.objects.add(LAYER_BYTES + layer.weights.length * WEIGHT_BYTES + 3 * layer.name.length);
    this.layers.push({
      name: this.#unique(layer.name),
      className: layer.className,
      operation: layer.operation,
      inputs: layer.inputs,
      weights: layer.weights,
      origin: { path: layer.path, sourceGateOrder: layer.sourceGateOrder },
    });
    return this.layers.length - 1;
  }

  #unique(name: string): string {
    let count = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, count);
    if (count === 1) return name;
    while (this.#names.has(`${name}#${String(count)}`)) count++;
    this.#names.set(`${name}#${String(count)}`, 1);
    return `${name}#${String(count)}`;
  }
}
