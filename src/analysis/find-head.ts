/**
 * What stands between a recurrent layer and the end of the model, as far as it acts on one state: the head of a loss.
 *
 * Values above the layer are vectors, or sequences of which one step is asked for in the end. What mixes steps, or brings
 * in values that do not come from the layer alone, is named and refused. Long because every kind of layer is one case of one
 * search.
 */
import { TempogradError } from '../core/errors';
import type { Direction, StateName } from '../core/jacobian';
import { cellsOf, hiddenSize, type Assumption, type Layer, type RecurrentModel } from '../core/model';
import type { HeadJoin, HeadNode, HeadOperation } from '../core/reference/head';
import { slicedPlaces } from '../core/sliced-places';
import type { FoundLayer } from './find-layer';

/** A state that a head reads. */
export interface HeadLeaf {
  readonly direction: Direction;
  readonly state: StateName;
  /** It is that after the n-th computed step. */
  readonly computedStep: number;
}

/** A head; its leaves are the nodes of kind `leaf`, in their order. */
export interface FoundHead {
  readonly nodes: readonly HeadNode[];
  readonly leaves: readonly HeadLeaf[];
  /** O */
  readonly width: number;
  /** Its layers. */
  readonly names: readonly string[];
  readonly assumptions: readonly Assumption[];
}

/** A value above the layer: a vector, or a sequence whose steps are made when they are asked for. */
type Flow =
  | { readonly kind: 'vector'; readonly node: number; readonly width: number }
  | { readonly kind: 'sequence'; readonly steps: number; readonly width: number; at(place: number): number };

const JOINS = { concat: 'concatenate', sum: 'add', mul: 'multiply', ave: 'average' } as const;

/**
 * The head above a layer.
 *
 * @param model - The model.
 * @param found - The layer.
 * @param steps - T of the layer.
 * @throws TempogradError `cell/unsupported` naming the layer that stands in the way.
 */
export function findHead(model: RecurrentModel, found: FoundLayer, steps: number): FoundHead {
  const { layer, index } = found;
  if (model.inputs.length === 0) throw refuse(found, null, 'the file does not say what stands above it');
  if (layer.operation.timeDistributed) throw refuse(found, null, 'it runs over more than one axis of steps');
  return new HeadSearch(model, found, steps).find(index);
}

class HeadSearch {
  private readonly nodes: HeadNode[] = [];
  private readonly leaves: HeadLeaf[] = [];
  private readonly names: string[] = [];
  private readonly made = new Map<string, number>();

  constructor(
    private readonly model: RecurrentModel,
    private readonly found: FoundLayer,
    private readonly steps: number,
  ) {}

  find(index: number): FoundHead {
    const { layers } = this.model;
    const flows = new Map<number, readonly Flow[]>([[index, this.ownOutputs()]]);
    const isRead = new Set<number>();
    for (let at = index + 1; at < layers.length; at++) {
      const inputs = layers[at]!.inputs.map(({ layer, output }) => flows.get(layer)?.[output]);
      const reads = layers[at]!.inputs.filter(({ layer }) => flows.has(layer));
      if (reads.length === 0) {
        this.checkStates(layers[at]!, flows);
        continue;
      }
      for (const { layer } of reads) isRead.add(layer);
      if (inputs.includes(undefined)) throw this.blocked(layers[at]!, 'it joins what does not come from the layer');
      flows.set(at, [this.above(layers[at]!, inputs as Flow[])]);
      this.names.push(layers[at]!.name);
    }
    const ends = [...flows.keys()].filter((at) => !isRead.has(at));
    if (ends.length !== 1) {
      const named = ends.map((at) => layers[at]!.name).join(', ');
      throw refuse(this.found, null, `the model has ${ends.length} outputs above it (${named})`);
    }
    return this.ended(flows.get(ends[0]!)![0]!);
  }

  private ended(flow: Flow): FoundHead {
    const output = flow.kind === 'vector' ? flow.node : flow.at(flow.steps - 1);
    const { names } = this;
    const { nodes, leaves } = this.onlyReached(output);
    for (const leaf of leaves) {
      const other = leaves.find((one) => one.direction === leaf.direction && one.computedStep !== leaf.computedStep);
      if (other) throw refuse(this.found, null, 'two of its steps are read');
    }
    const assumptions =
      flow.kind === 'vector'
        ? []
        : [
            {
              what: 'step of the loss',
              assumed: 'the last',
              why: 'the model gives an output at every step, and the gradient is that of one',
              change: '',
            },
          ];
    return { nodes, leaves, width: flow.width, names, assumptions };
  }

  /** The nodes that the output is made of, the output last. */
  private onlyReached(output: number): Pick<FoundHead, 'nodes' | 'leaves'> {
    const inputsOf = (node: HeadNode): readonly number[] =>
      node.kind === 'apply' ? [node.input] : node.kind === 'join' ? node.inputs : [];
    const reached = new Set([output]);
    for (const at of reached) for (const input of inputsOf(this.nodes[at]!)) reached.add(input);
    const kept = this.nodes.flatMap((_, at) => (reached.has(at) ? [at] : []));
    const place = new Map(kept.map((at, index) => [at, index]));
    const nodes = kept.map((at): HeadNode => {
      const node = this.nodes[at]!;
      if (node.kind === 'apply') return { ...node, input: place.get(node.input)! };
      return node.kind === 'join' ? { ...node, inputs: node.inputs.map((input) => place.get(input)!) } : node;
    });
    const isLeaf = (at: number): boolean => this.nodes[at]!.kind === 'leaf';
    const allLeaves = this.nodes.flatMap((_, at) => (isLeaf(at) ? [at] : []));
    const leaves = this.leaves.filter((_, index) => reached.has(allLeaves[index]!));
    return { nodes, leaves };
  }

  /** A recurrent layer whose initial state comes from this one is in the way too. */
  private checkStates(layer: Layer, flows: ReadonlyMap<number, unknown>): void {
    const { operation } = layer;
    if (operation.kind !== 'recurrent') return;
    if (operation.initialState.some((ref) => flows.has(ref.layer))) {
      throw this.blocked(layer, 'it is a recurrence that starts from its states');
    }
  }

  /** What the layer itself gives: its sequence or last states, directions joined, then its states. */
  private ownOutputs(): readonly Flow[] {
    const { operation } = this.found.layer;
    const cells = cellsOf(operation);
    const { steps } = this;
    const last = steps - 1;
    const sequences = cells.map(({ direction, cell }): Flow => {
      const width = hiddenSize(cell);
      if (!operation.returnSequences) return this.state(direction, 'h', last, width);
      const at = (place: number): number => {
        const t = operation.outputReversed ? last - place : place;
        return this.leaf(direction, 'h', direction === 'forward' ? t : last - t, width);
      };
      return { kind: 'sequence', steps, width, at };
    });
    const { mergeMode } = operation;
    const outputs =
      sequences.length === 1 || mergeMode === 'none' ? sequences : [this.join(JOINS[mergeMode], sequences)];
    const states = operation.returnState
      ? cells.flatMap(({ direction, cell }) => [
          this.state(direction, 'h', last, hiddenSize(cell)),
          ...(cell.kind === 'LSTM' ? [this.state(direction, 'c', last, cell.units)] : []),
        ])
      : [];
    return [...outputs, ...states];
  }

  private above(layer: Layer, inputs: readonly Flow[]): Flow {
    const { operation } = layer;
    const [first] = inputs as [Flow];
    switch (operation.kind) {
      case 'identity':
        return first;
      case 'dense':
        if (operation.kernel.shape[0] !== first.width) throw this.blocked(layer, 'its kernel has another size');
        return this.applied(layer, operation, first, operation.kernel.shape[1]!);
      case 'activation':
        return this.applied(layer, operation, first, first.width);
      case 'softmax':
        return this.alongUnits(layer, operation, [operation.axis], first);
      case 'affine': {
        const isOne = operation.scale.data.length === 1 && operation.offset.data.length === 1;
        return isOne
          ? this.applied(layer, operation, first, first.width)
          : this.alongUnits(layer, operation, [operation.axis], first);
      }
      case 'layer-normalization':
        return this.alongUnits(layer, operation, operation.axes, first);
      case 'prelu': {
        const { shape } = operation.alpha;
        const isPerUnit = shape.slice(0, -1).every((size) => size === 1);
        if (!isPerUnit) throw this.blocked(layer, 'it has a slope for every step');
        return this.applied(layer, operation, first, first.width);
      }
      case 'slice':
        return this.sliced(layer, operation, first);
      case 'flatten':
      case 'reshape':
        return this.inARow(layer, operation.kind === 'reshape' ? operation.target : null, first);
      case 'concatenate':
        if (!this.isLastAxis(operation.axis, first, false)) throw this.blocked(layer, 'it joins steps');
        return this.joined(layer, 'concatenate', inputs);
      case 'merge': {
        const how = operation.operation;
        if (how === 'maximum' || how === 'minimum') throw this.blocked(layer, `it takes a ${how}`);
        return this.joined(layer, how, inputs);
      }
      default:
        throw this.blocked(layer, REASONS[operation.kind] ?? `${layer.className} is not run on one state`);
    }
  }

  private sliced(
    layer: Layer,
    { axis, slice, drop }: Extract<Layer['operation'], { kind: 'slice' }>,
    flow: Flow,
  ): Flow {
    if (flow.kind !== 'sequence' || axis !== 1) throw this.blocked(layer, 'it takes some of the units');
    const places = slicedPlaces(slice, flow.steps);
    if (places.length === 0) throw this.blocked(layer, 'it takes no step');
    if (drop) return { kind: 'vector', node: flow.at(places[0]!), width: flow.width };
    return { ...flow, steps: places.length, at: (place) => flow.at(places[place]!) };
  }

  /** A vector, or a sequence of one step, as the same numbers in a row. */
  private inARow(layer: Layer, target: readonly number[] | null, flow: Flow): Flow {
    const isRow = target === null || (target.length === 1 && (target[0] === -1 || target[0] === flow.width));
    if (flow.kind === 'vector' && isRow) return flow;
    if (flow.kind === 'sequence' && flow.steps === 1 && isRow) {
      return { kind: 'vector', node: flow.at(0), width: flow.width };
    }
    throw this.blocked(layer, 'it mixes steps and units');
  }

  /** An operation over the units of each step. */
  private alongUnits(layer: Layer, operation: HeadOperation, axes: readonly number[], flow: Flow): Flow {
    const isInner = layer.className === 'TimeDistributed';
    const fits = axes.length === 1 && this.isLastAxis(axes[0]!, flow, isInner);
    if (!fits) throw this.blocked(layer, 'it acts along the steps');
    return this.applied(layer, operation, flow, flow.width);
  }

  private isLastAxis(axis: number, flow: Flow, isInner: boolean): boolean {
    return axis === -1 || axis === (flow.kind === 'vector' || isInner ? 1 : 2);
  }

  private applied(layer: Layer, operation: HeadOperation, flow: Flow, width: number): Flow {
    const isRms =
      operation.kind === 'layer-normalization' &&
      operation.rms &&
      (layer.className === 'RMSNormalization' || layer.className === 'TimeDistributed');
    return this.perStep([flow], width, ([input]) => ({ kind: 'apply', operation, isRms, input: input! }));
  }

  private joined(layer: Layer, how: HeadJoin, inputs: readonly Flow[]): Flow {
    const [first] = inputs as [Flow];
    const isAlike = inputs.every(
      (flow) =>
        flow.kind === first.kind &&
        (how === 'concatenate' || flow.width === first.width) &&
        (flow.kind === 'vector' || flow.steps === (first as typeof flow).steps),
    );
    if (!isAlike) throw this.blocked(layer, 'it joins values of different shapes');
    return this.join(how, inputs);
  }

  private join(how: HeadJoin, inputs: readonly Flow[]): Flow {
    const widths = inputs.map(({ width }) => width);
    const width = how === 'concatenate' ? widths.reduce((sum, size) => sum + size, 0) : widths[0]!;
    return this.perStep(inputs, width, (nodes) => ({ kind: 'join', how, inputs: nodes }));
  }

  /** A node made at once for vectors, and for each step that is asked for of sequences. */
  private perStep(inputs: readonly Flow[], width: number, make: (nodes: readonly number[]) => HeadNode): Flow {
    const [first] = inputs as [Flow];
    const nodeAt = (place: number): number =>
      this.nodes.push(make(inputs.map((flow) => (flow.kind === 'vector' ? flow.node : flow.at(place))))) - 1;
    if (first.kind === 'vector') return { kind: 'vector', node: nodeAt(0), width };
    return { kind: 'sequence', steps: first.steps, width, at: nodeAt };
  }

  private state(direction: Direction, state: StateName, computedStep: number, width: number): Flow {
    return { kind: 'vector', node: this.leaf(direction, state, computedStep, width), width };
  }

  /** A state is one leaf, however often it is read; a direction is read after one step only. */
  private leaf(direction: Direction, state: StateName, computedStep: number, width: number): number {
    const key = `${direction} ${state} ${computedStep}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    this.leaves.push({ direction, state, computedStep });
    const node = this.nodes.push({ kind: 'leaf', width }) - 1;
    this.made.set(key, node);
    return node;
  }

  private blocked(layer: Layer, reason: string): TempogradError {
    return refuse(this.found, layer, reason);
  }
}

/** Why kinds of layers that a model may well have there are in the way. */
const REASONS: Readonly<Partial<Record<Layer['operation']['kind'], string>>> = {
  recurrent: 'it is another recurrent layer',
  conv1d: 'it mixes steps',
  pool1d: 'it mixes steps',
  upsampling1d: 'it repeats steps',
  padding1d: 'it adds steps',
  cropping1d: 'it leaves out steps',
  repeat: 'it makes a sequence of the state',
  permute: 'it mixes steps and units',
  embedding: 'it takes ids',
  masking: 'it masks steps',
};

function refuse({ layer }: FoundLayer, blocker: Layer | null, reason: string): TempogradError {
  const where = blocker === null ? '' : `${blocker.name} (${blocker.className}) stands between ${layer.name} and it: `;
  return new TempogradError(
    'cell/unsupported',
    `the loss of layer ${layer.name} cannot be computed: ${where}${reason}`,
    {
      remedy: 'Choose the last recurrent layer of the model with --layer, or leave out --target.',
      details: { layer: layer.name, blockedBy: blocker?.name ?? null, reason },
    },
  );
}
