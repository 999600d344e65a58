/**
 * The engine over tensor operations: TensorFlow or wasm, the same code.
 */
import type { RecurrentLayer, RecurrentModel } from '../core/model';
import type { Tensor } from '../core/tensor';
import type { Engine, EngineName, LayerInput, LayerRun, Stack } from './engine';
import { openStack } from './below/open-stack';
import { runBelow } from './forward';
import { runLayer } from './layer-run';
import type { Ops } from './ops';

/** An engine on a set of operations, which it owns. */
export class TensorEngine implements Engine {
  readonly name: EngineName;
  readonly version: string;

  /**
   * @param ops - The operations; closed by `dispose`.
   */
  constructor(private readonly ops: Ops) {
    this.name = ops.engine;
    this.version = ops.version;
  }

  /** Live tensors of the library, those that the engine keeps for itself left out. */
  tensorCount(): number {
    return this.ops.tensorCount();
  }

  /** See `Engine.runBelow`. */
  runBelow(model: RecurrentModel, layer: number, inputs: readonly Tensor[], signal: AbortSignal): Promise<LayerInput> {
    const tools = { ops: this.ops, openLayer: this.openLayer.bind(this) };
    return runBelow(tools, model, layer, inputs, signal);
  }

  /** See `Engine.openStack`. */
  openStack(model: RecurrentModel, layer: number, inputs: readonly Tensor[], signal: AbortSignal): Promise<Stack> {
    const tools = { ops: this.ops, openLayer: this.openLayer.bind(this) };
    return openStack(tools, model, layer, inputs, signal);
  }

  /** See `Engine.openLayer`. */
  openLayer(layer: RecurrentLayer, input: LayerInput, signal: AbortSignal): Promise<LayerRun> {
    return runLayer(this.ops, layer, input, signal);
  }

  /** Frees what the operations keep. */
  dispose(): void {
    this.ops.close();
  }
}
