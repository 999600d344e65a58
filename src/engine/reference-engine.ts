/**
 * The float64 engine: the closed forms of core/reference behind the same interface, streaming in the same chunks.
 *
 * It loads nothing, so that a small model is done before a library would be loaded.
 */
import { cellsOf, hiddenSize, type RecurrentLayer, type RecurrentModel } from '../core/model';
import { checkShape, type Tensor } from '../core/tensor';
import type { Engine, LayerInput, LayerRun, Stack } from './engine';
import { openStack } from './below/open-stack';
import { runBelow } from './forward';
import { createFloat64Ops } from './ops/float64-ops';
import { Pace } from './pace';
import { ReferenceRun, runDirection, type ReferenceDirection } from './reference-run';

/** An engine in float64 with plain loops. */
export class ReferenceEngine implements Engine {
  readonly name = 'reference';
  readonly version = 'float64';
  private readonly ops = createFloat64Ops();

  /** Values of the layers below that are live; 0 between jobs. */
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
  async openLayer(layer: RecurrentLayer, input: LayerInput, signal: AbortSignal): Promise<LayerRun> {
    const pace = new Pace(signal);
    const directions: ReferenceDirection[] = [];
    for (const { direction, cell } of cellsOf(layer.operation)) {
      const x = direction === 'backward' && input.backwardX ? input.backwardX : input.x;
      const initial = input.initialState[direction] ?? null;
      const [batch] = x.shape;
      checkShape(`the input of layer ${layer.name}`, x.shape, [null, null, cell.inputDim], 'input/shape-mismatch');
      if (input.mask) checkShape('the mask', input.mask.shape, x.shape.slice(0, 2), 'input/shape-mismatch');
      if (initial) checkShape('h0', initial.h0.shape, [batch, hiddenSize(cell)], 'input/shape-mismatch');
      if (initial?.c0) checkShape('c0', initial.c0.shape, [batch, cell.units], 'input/shape-mismatch');
      directions.push(await runDirection(cell, direction, { x, mask: input.mask, initial }, pace));
    }
    return new ReferenceRun(directions);
  }

  /** Frees what the operations keep. */
  dispose(): void {
    this.ops.close();
  }
}
