/** How far the layers below need to be computed where only the first steps of the top are asked for. */
import { isRecurrent, type RecurrentLayer } from '../../core/model';
import { ownSteps, reachOf } from './reach';
import { fedBy } from './source-layers';
import type { StackPath } from './stack-path';

/**
 * Steps that each recurrent layer takes, those of the top included; a layer that is left out takes all.
 *
 * @param path - The layers below.
 * @param top - The layer at the top.
 * @param lastTarget - Its last timestep that is asked for; null for all.
 */
export function lastSteps(
  path: StackPath,
  top: RecurrentLayer,
  lastTarget: number | null,
): ReadonlyMap<number, number> {
  const needed = new Map<number, number>();
  if (lastTarget === null) return needed;
  const need = (index: number, last: number): void => {
    needed.set(index, Math.max(needed.get(index) ?? -1, last));
  };
  const steps = new Map<number, number>();
  for (const index of [path.layer, ...[...path.order].reverse()]) {
    const layer = index === path.layer ? top : path.model.layers[index]!;
    const last = index === path.layer ? lastTarget : (needed.get(index) ?? -1);
    const { operation } = layer;
    if (isRecurrent(layer)) {
      const isAhead =
        layer.operation.backward === null && layer.operation.returnSequences && !layer.operation.outputReversed;
      const isLimited =
        index === path.layer ? layer.operation.backward === null : isAhead && !layer.operation.returnState;
      if (isLimited) steps.set(index, last + 1);
      for (const from of fedBy(path.model, index)) need(from, isLimited ? last : Infinity);
      continue;
    }
    const shapeOf = (from: number): readonly number[] => path.outputs.get(from)![0]!.shape;
    const shapes = layer.inputs.map((ref) => shapeOf(ref.layer));
    const most = Math.max(...shapes.map((shape) => shape[1]!));
    if (operation.kind === 'unsupported' || operation.kind === 'recurrent')
      throw new Error(`layer ${layer.name} cannot run`);
    const reaches = shapes.map((shape) => (shape.length > 2 ? ownSteps(shape[1]!) : ownSteps(1)));
    const reach = reachOf(layer, operation, reaches, shapes, shapeOf(index), most);
    const end = reach ? Math.min(reach.last.length, last + 1) : 0;
    let farthest = -1;
    for (let t = 0; t < end; t++) farthest = Math.max(farthest, reach!.last[t]!);
    const isWhole = !Number.isFinite(last) || shapes.some((shape) => shape.length < 3);
    for (const from of fedBy(path.model, index)) need(from, isWhole ? Infinity : farthest);
  }
  for (const [index, count] of steps) if (!Number.isFinite(count)) steps.delete(index);
  return steps;
}
