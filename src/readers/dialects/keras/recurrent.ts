/**
 * Recurrent layers and their wrappers: LSTM, GRU, SimpleRNN, RNN over cells, Bidirectional, TimeDistributed.
 *
 * The result is a list of stages, one per stacked cell, that `place-recurrent.ts` puts into the graph.
 */
import { z } from 'zod';
import type { Direction } from '../../../core/jacobian';
import type { CellDescription, MergeMode } from '../../../core/model';
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';
import { cellKind, readCell } from './cells';
import { parseConfig, type KerasContext } from './context';
import { join, toSnakeCase } from './tree-variables';
import type { WeightReader } from './weight-reader';
import { assume, unsupported } from '../../reading';

/** One cell, or one for each direction. */
export interface RecurrentStage {
  readonly forward: CellDescription | null;
  readonly backward: CellDescription | null;
}

/** A recurrent layer as read, before it is called. */
export interface RecurrentTemplate {
  readonly stages: readonly RecurrentStage[];
  readonly mergeMode: MergeMode;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly stateful: boolean;
  readonly outputReversed: boolean;
  readonly zeroOutputForMask: boolean;
  readonly timeDistributed: boolean;
}

const layerSchema = z.object({
  return_sequences: z.boolean().default(false),
  return_state: z.boolean().default(false),
  go_backwards: z.boolean().default(false),
  stateful: z.boolean().default(false),
  zero_output_for_mask: z.boolean().default(false),
});

const MERGE_MODES = ['concat', 'sum', 'mul', 'ave'] as const;

/**
 * True for a class that holds a recurrent layer.
 *
 * @param className - The class.
 * @param config - Its configuration.
 */
export function isRecurrentClass(className: string, config: JsonObject): boolean {
  if (className === 'TimeDistributed') {
    const inner = innerLayer(config, 'layer');
    return inner !== null && isRecurrentClass(inner.className, inner.config);
  }
  return (
    className === 'RNN' ||
    className === 'Bidirectional' ||
    (cellKind(className) !== null && !className.endsWith('Cell'))
  );
}

/**
 * The recurrent layer that a configuration describes.
 *
 * @param className - A class for which `isRecurrentClass` holds.
 * @param config - Its configuration.
 * @param layer - The layer's name.
 * @param weights - The layer's tensors.
 * @param context - The reading.
 * @throws TempogradError `cell/unsupported`, `cell/shape-mismatch`, `reader/corrupt`.
 */
export async function readRecurrent(
  className: string,
  config: JsonObject,
  layer: string,
  weights: WeightReader,
  context: KerasContext,
): Promise<RecurrentTemplate> {
  const read = new RecurrentReader(layer, weights, context);
  if (className === 'TimeDistributed') {
    const inner = innerLayer(config, 'layer');
    if (!inner) throw unsupported('the layer inside its TimeDistributed wrapper is not described');
    return { ...(await read.layer(inner.className, inner.config, 'layer')), timeDistributed: true };
  }
  return read.layer(className, config, '');
}

/** A layer or cell inside a wrapper's configuration. */
interface InnerLayer {
  readonly className: string;
  readonly config: JsonObject;
}

function innerLayer(config: JsonValue | undefined, key: string): InnerLayer | null {
  const value = field(config, key);
  const className = stringField(value, 'class_name');
  const inner = field(value, 'config');
  return className !== null && isObject(inner) ? { className: bareClass(className), config: inner } : null;
}

/** Keras 2 may write the package of a class: `Keras>LSTM`. */
function bareClass(className: string): string {
  return className.replace(/^Keras>/, '');
}

class RecurrentReader {
  readonly #layer: string;
  readonly #weights: WeightReader;
  readonly #context: KerasContext;

  constructor(layer: string, weights: WeightReader, context: KerasContext) {
    this.#layer = layer;
    this.#weights = weights;
    this.#context = context;
  }

  async layer(className: string, config: JsonObject, part: string): Promise<RecurrentTemplate> {
    if (className === 'Bidirectional') return this.#bidirectional(config, part);
    const settings = parseConfig(layerSchema, config, this.#layer);
    const cells = await this.#cells(className, config, part, null);
    const backwards = settings.go_backwards;
    this.#sayStateful(settings.stateful);
    return {
      stages: cells.map((cell) => ({ forward: backwards ? null : cell, backward: backwards ? cell : null })),
      mergeMode: 'concat',
      ...this.#outputs(settings),
      outputReversed: backwards,
      timeDistributed: false,
    };
  }

  async #bidirectional(config: JsonObject, part: string): Promise<RecurrentTemplate> {
    const forward = innerLayer(config, 'layer');
    if (!forward) throw unsupported('the layer inside its Bidirectional wrapper is not described');
    const settings = parseConfig(layerSchema, forward.config, this.#layer);
    if (settings.go_backwards)
      throw unsupported('the forward layer of its Bidirectional wrapper goes backwards itself');
    const backward = innerLayer(config, 'backward_layer') ?? forward;
    const forwardCells = await this.#cells(forward.className, forward.config, join(part, 'forward_layer'), 'forward');
    const backwardCells = await this.#cells(
      backward.className,
      backward.config,
      join(part, 'backward_layer'),
      'backward',
    );
    if (forwardCells.length !== backwardCells.length) {
      throw unsupported('the two directions of its Bidirectional wrapper have different numbers of cells');
    }
    this.#sayStateful(settings.stateful);
    return {
      stages: forwardCells.map((cell, index) => ({ forward: cell, backward: backwardCells[index] ?? null })),
      mergeMode: mergeMode(config['merge_mode']),
      ...this.#outputs(settings),
      outputReversed: false,
      timeDistributed: false,
    };
  }

  /** The cells of one direction, lowest first. */
  async #cells(
    className: string,
    config: JsonObject,
    part: string,
    direction: Direction | null,
  ): Promise<readonly CellDescription[]> {
    if (className !== 'RNN') {
      const place = { layer: this.#layer, part: join(part, className.startsWith('CuDNN') ? '' : 'cell'), direction };
      return [await readCell(className, config, place, this.#weights, this.#context)];
    }
    const cell = innerLayer(config, 'cell');
    if (!cell) throw unsupported('the cell of its RNN layer is not described');
    const place = { layer: this.#layer, part: join(part, 'cell'), direction };
    if (cell.className !== 'StackedRNNCells') {
      return [await readCell(cell.className, cell.config, place, this.#weights, this.#context)];
    }
    const listed = field(cell.config, 'cells');
    const cells: CellDescription[] = [];
    const seen = new Map<string, number>();
    for (const item of isArray(listed) ? listed : []) {
      const inner = innerLayer({ cell: item }, 'cell');
      if (!inner) throw unsupported('a cell of its RNN layer is not described');
      const snake = toSnakeCase(inner.className);
      const count = seen.get(snake) ?? 0;
      seen.set(snake, count + 1);
      const group = count === 0 ? snake : `${snake}_${String(count)}`;
      const innerPlace = { ...place, part: join(place.part, `cells/${group}`) };
      cells.push(await readCell(inner.className, inner.config, innerPlace, this.#weights, this.#context));
    }
    if (cells.length === 0) throw unsupported('its RNN layer has no cells');
    return cells;
  }

  #outputs(
    settings: z.infer<typeof layerSchema>,
  ): Pick<RecurrentTemplate, 'returnSequences' | 'returnState' | 'stateful' | 'zeroOutputForMask'> {
    return {
      returnSequences: settings.return_sequences,
      returnState: settings.return_state,
      stateful: settings.stateful,
      zeroOutputForMask: settings.zero_output_for_mask,
    };
  }

  #sayStateful(stateful: boolean): void {
    if (!stateful) return;
    assume(this.#context, {
      what: `initial state of ${this.#layer}`,
      assumed: 'zeros',
      why: 'the layer is stateful, and its last state is not stored in the file',
      change: '--initial-state',
    });
  }
}

function mergeMode(value: JsonValue | undefined): MergeMode {
  if (value === null) return 'none';
  if (value === undefined) return 'concat';
  const known = MERGE_MODES.find((mode) => mode === value);
  if (known) return known;
  throw unsupported(`its two directions are merged by ${JSON.stringify(value)}, which is not one of Keras's modes`);
}
