/**
 * The layers below a recurrent layer, run at inference, and nothing else of the model.
 *
 * Layers run in the model's own order; a value is freed when the last layer that reads it has run.
 * What a recurrent layer below computes comes from the engine, which is asked as for any layer.
 */
import { TempogradError } from '../core/errors';
import { isRecurrent, type Layer, type RecurrentLayer, type RecurrentModel, type ValueRef } from '../core/model';
import type { Tensor } from '../core/tensor';
import type { Engine, LayerInput, LayerRun } from './engine';
import { runConstant } from './layers/constant';
import type { Flow, KerasVersion, LayerContext } from './layers/flow';
import { makeLayerInput, recurrentInputs, recurrentOutputs } from './layers/recurrent';
import { runPlainLayer } from './layers/run-layer';
import type { Ops } from './ops';
import { Pace } from './pace';

/** What the forward pass is done with. */
export interface ForwardTools {
  readonly ops: Ops;
  readonly openLayer: Engine['openLayer'];
}

/** Sees what every layer below gives while it is there. */
export interface LayerWatch {
  /** A layer's outputs. */
  seen(index: number, outputs: readonly Flow[]): void;
  /** What a recurrent layer is fed, and its states. */
  ran(index: number, input: LayerInput, run: LayerRun): void;
}

/**
 * The input of a recurrent layer.
 *
 * @param tools - Operations and the engine's way to the states of a recurrent layer.
 * @param model - The model.
 * @param layer - Index of the recurrent layer.
 * @param inputs - One tensor per `model.inputs`.
 * @param signal - Aborts between layers.
 * @param watch - Told of every layer below.
 * @returns Arrays in JavaScript's memory; nothing stays in the engine's.
 * @throws TempogradError `cell/unsupported` naming the layer that stands in the way, `input/shape-mismatch`.
 */
export async function runBelow(
  tools: ForwardTools,
  model: RecurrentModel,
  layer: number,
  inputs: readonly Tensor[],
  signal: AbortSignal,
  watch: LayerWatch | null = null,
): Promise<LayerInput> {
  const target = model.layers[layer];
  if (!target || !isRecurrent(target)) throw new Error(`layer ${layer} is not recurrent`);
  if (target.inputs.length === 0) throw blockedError(target, target, 'the file holds no layers below it');
  const pass = new ForwardPass(tools, model, target, inputs, watch);
  try {
    return await pass.run(signal);
  } finally {
    pass.dispose();
  }
}

class ForwardPass {
  private readonly flows = new Map<number, readonly Flow[]>();
  private readonly readers = new Map<number, number>();
  private readonly keras: KerasVersion;

  constructor(
    private readonly tools: ForwardTools,
    private readonly model: RecurrentModel,
    private readonly target: RecurrentLayer,
    private readonly inputs: readonly Tensor[],
    private readonly watch: LayerWatch | null,
  ) {
    this.keras = versionOf(model.producer);
  }

  async run(signal: AbortSignal): Promise<LayerInput> {
    const pace = new Pace(signal);
    for (const index of this.ancestors()) {
      await pace.breathe();
      const outputs = await this.outputsOf(index, signal);
      this.flows.set(index, outputs);
      this.watch?.seen(index, outputs);
      for (const { layer } of refsOf(this.model.layers[index])) this.release(layer);
    }
    await pace.breathe();
    return makeLayerInput(this.contextOf(this.target), this.target, (ref) => this.flowOf(ref));
  }

  dispose(): void {
    for (const flows of this.flows.values()) this.free(flows);
    this.flows.clear();
  }

  /** The layers to run in order; counts how many read each, the target included. */
  private ancestors(): number[] {
    const found = new Set<number>();
    const pending: Layer[] = [this.target];
    for (let layer = pending.pop(); layer; layer = pending.pop()) {
      for (const { layer: below } of refsOf(layer)) {
        this.readers.set(below, (this.readers.get(below) ?? 0) + 1);
        if (found.has(below)) continue;
        found.add(below);
        pending.push(this.model.layers[below]);
      }
    }
    const order = [...found].sort((a, b) => a - b);
    for (const index of order) this.checkCanRun(index);
    return order;
  }

  private checkCanRun(index: number): void {
    const { operation, inputs } = this.model.layers[index];
    if (operation.kind === 'constant') return;
    const isCut = operation.kind === 'input' ? !this.model.inputs.includes(index) : inputs.length === 0;
    if (operation.kind !== 'unsupported' && !isCut) return;
    const reason = operation.kind === 'unsupported' ? operation.reason : 'the file does not say what it is fed';
    throw blockedError(this.target, this.model.layers[index], reason);
  }

  private async outputsOf(index: number, signal: AbortSignal): Promise<readonly Flow[]> {
    const layer = this.model.layers[index];
    const { operation } = layer;
    const context = this.contextOf(layer);
    if (isRecurrent(layer)) {
      const input = makeLayerInput(context, layer, (ref) => this.flowOf(ref));
      const run = await this.tools.openLayer(layer, input, signal);
      try {
        this.watch?.ran(index, input, run);
        return recurrentOutputs(context, layer.operation, run, input, this.flowOf(layer.inputs[0]));
      } finally {
        run.dispose();
      }
    }
    if (operation.kind === 'input') return [this.upload(index, layer)];
    if (operation.kind === 'constant') {
      return [{ value: runConstant(context, operation.value, this.inputs[0].shape[0]), mask: null }];
    }
    if (operation.kind === 'unsupported' || operation.kind === 'recurrent')
      throw new Error(`layer ${layer.name} cannot run`);
    return [
      runPlainLayer(
        context,
        operation,
        layer.inputs.map((ref) => this.flowOf(ref)),
      ),
    ];
  }

  private upload(index: number, layer: Layer): Flow {
    const { ops } = this.tools;
    const { operation } = layer;
    if (operation.kind !== 'input') throw new Error(`layer ${layer.name} is not an input`);
    const tensor = this.inputs.at(this.model.inputs.indexOf(index));
    const expected = ['B', ...operation.shape.map((size) => size ?? '*')].join(', ');
    if (!tensor || this.inputs.length !== this.model.inputs.length) {
      throw new TempogradError(
        'input/shape-mismatch',
        `the model has ${this.model.inputs.length} inputs, ${this.inputs.length} were given`,
        { details: { actual: this.inputs.length, expected: this.model.inputs.length } },
      );
    }
    const [batch, ...sizes] = tensor.shape;
    const fits =
      sizes.length === operation.shape.length &&
      tensor.shape.every((size) => size > 0) &&
      operation.shape.every((size, axis) => size === null || size === sizes[axis]) &&
      batch === this.inputs[0].shape[0];
    if (!fits) {
      throw new TempogradError(
        'input/shape-mismatch',
        `input ${layer.name} is given [${tensor.shape.join(', ')}], expected [${expected}]`,
        { details: { layer: layer.name, actual: [...tensor.shape], expected } },
      );
    }
    const { data, shape } = tensor;
    const isReal = data instanceof Float32Array || data instanceof Float64Array;
    const value = isReal ? ops.upload(data, shape) : ops.uploadInts(Int32Array.from(data), shape);
    return { value, mask: null };
  }

  private contextOf(layer: Layer): LayerContext {
    return { ops: this.tools.ops, layer, keras: this.keras };
  }

  private flowOf({ layer, output }: ValueRef): Flow {
    const flow = this.flows.get(layer)?.[output];
    if (!flow) throw new Error(`output ${output} of layer ${this.model.layers[layer].name} is not there`);
    return flow;
  }

  private release(layer: number): void {
    const left = (this.readers.get(layer) ?? 0) - 1;
    this.readers.set(layer, left);
    if (left > 0) return;
    this.free(this.flows.get(layer) ?? []);
    this.flows.delete(layer);
  }

  private free(flows: readonly Flow[]): void {
    this.tools.ops.dispose(...flows.map(({ value }) => value));
  }
}

function blockedError(target: RecurrentLayer, { name, className }: Layer, reason: string): TempogradError {
  return new TempogradError(
    'cell/unsupported',
    name === target.name
      ? `layer ${name} cannot be reached from the model's input: ${reason}`
      : `layer ${name} (${className}) stands between the input and layer ${target.name}: ${reason}`,
    {
      remedy: `Analyse ${target.name} on its own input with --at-layer.`,
      details: { layer: target.name, blockedBy: name, className, reason },
    },
  );
}

/** What a layer reads. */
function refsOf(layer: Layer): readonly ValueRef[] {
  return isRecurrent(layer) && layer.inputs.length > 0 ? recurrentInputs(layer) : layer.inputs;
}

/** 3 and 15 for `Keras 3.15.0`, the newest 3 for `Keras 3`, 2 for anything older or unknown. */
export function versionOf(producer: string): KerasVersion {
  const found = /(?<![\d.])(\d+)(?:\.(\d+))?/.exec(producer);
  const major = Number(found?.[1] ?? 2);
  return major >= 3 ? { major, minor: Number(found?.[2] ?? Infinity) } : { major: 2, minor: 0 };
}
