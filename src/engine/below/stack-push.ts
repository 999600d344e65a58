/**
 * Tiles of steps of the model's input pushed through the layers to a recurrent layer, one sequence at a time.
 *
 * A layer's derivative is held for all steps of one tile, until the last layer that reads it has been passed: a backward
 * recurrence starts at the end.
 */
import type { Direction } from '../../core/jacobian';
import { isRecurrent, type RecurrentOperation, type ValueRef } from '../../core/model';
import { timeIndex } from '../../core/reference/run-cell';
import { openCell } from '../cells/open-cell';
import type { TensorCell } from '../cells/tensor-cell';
import { validSteps, type ValidSteps } from '../cells/valid-steps';
import { versionOf } from '../forward';
import type { Flow } from '../layers/flow';
import type { Ops, Value } from '../ops';
import type { Pace } from '../pace';
import { lastSteps } from './last-steps';
import { joinOutputs, type DirectionRows } from './push-outputs';
import { pushPlain } from './push-plain';
import { pushRecurrence, type RecurrenceStep } from './push-recurrence';
import type { ScaledColumns, TileShape } from './scaled-columns';
import { seedRows } from './seed-rows';
import { fedBy } from './source-layers';
import type { HostFlow, StackPath, StackRecurrence } from './stack-path';
import { StepOperators } from './step-operators';
import { isDoubleStack, type StackTile } from './stack-plan';
import { openPrecision, type StackPrecision } from './stack-precision';
import { releaseRows, type TangentRows } from './tangent-rows';

/** A tile, and what of the top is asked for. */
export interface WantedTile {
  readonly tile: StackTile;
  readonly directions: readonly Direction[];
  /** The last timestep of the top that is asked for; null for all. */
  readonly lastTarget: number | null;
}

/** A step of the top layer. */
export interface StackStep extends RecurrenceStep {
  readonly direction: Direction;
  readonly tile: TileShape;
}

/** One direction of one recurrent layer. */
interface OpenDirection {
  readonly cell: TensorCell;
  readonly valid: ValidSteps;
  readonly run: StackRecurrence['runs'][number]['run'];
}

/** The layers of a path in engine memory, ready for tiles. */
export class StackPush {
  private readonly cells = new Map<number, readonly OpenDirection[]>();
  private operators = new Map<OpenDirection, StepOperators>();
  private sequence = -1;
  private readonly precision: StackPrecision;
  private readonly ops: Ops;

  /**
   * @param ops - The engine's operations.
   * @param path - The layers below.
   * @param top - The layer itself with its states.
   * @param keepsVectors - Whether what operators are formed from stays from tile to tile.
   */
  constructor(
    ops: Ops,
    private readonly path: StackPath,
    private readonly top: StackRecurrence,
    private readonly keepsVectors: boolean,
  ) {
    this.precision = openPrecision(ops, isDoubleStack(path, ops.native !== null));
    this.ops = this.precision.ops;
  }

  /**
   * Pushes a tile to the top.
   *
   * @param wanted - Which steps of u, and of the top.
   * @param pace - Lets messages in.
   * @param receive - Gets every wanted step of the top, with its norms.
   */
  async push(wanted: WantedTile, pace: Pace, receive: (step: StackStep) => void): Promise<void> {
    const { path, ops } = this;
    const { tile } = wanted;
    this.turnTo(tile.sequence);
    const limits = lastSteps(path, this.top.layer, wanted.lastTarget);
    const { isDouble } = this.precision;
    const read = (value: Value): ArrayLike<number> => this.precision.read(value);
    const shape: TileShape = { ops, isDouble, read, sources: tile.count, width: path.sequence.shape[2]! };
    const held = new Map<number, readonly (TangentRows | null)[]>();
    const readers = this.countReaders();
    try {
      for (const [start, rows] of seedRows(path, tile, shape)) held.set(start, [rows]);
      for (const index of path.order) {
        held.set(index, await this.outputs(index, tile, shape, held, limits, pace));
        for (const from of fedBy(path.model, index)) release(held, readers, from);
      }
      await this.pushTop(wanted, shape, held, limits, pace, receive);
    } finally {
      for (const rows of [...held.values()].flat()) if (rows) releaseRows(rows);
    }
  }

  /** Frees everything. */
  dispose(): void {
    this.freeOperators();
    for (const { cell } of [...this.cells.values()].flat()) cell.dispose();
    this.cells.clear();
    this.precision.close();
  }

  /** How many layers read each. */
  private countReaders(): Map<number, number> {
    const { model, order, layer } = this.path;
    const readers = new Map<number, number>();
    for (const index of [...order, layer]) {
      for (const from of fedBy(model, index)) readers.set(from, (readers.get(from) ?? 0) + 1);
    }
    return readers;
  }

  /** The derivatives of a layer's outputs. */
  private async outputs(
    index: number,
    tile: StackTile,
    shape: TileShape,
    held: ReadonlyMap<number, readonly (TangentRows | null)[]>,
    limits: ReadonlyMap<number, number>,
    pace: Pace,
  ): Promise<readonly (TangentRows | null)[]> {
    const { path, ops } = this;
    const layer = path.model.layers[index]!;
    const recurrence = path.recurrences.get(index);
    if (recurrence && isRecurrent(layer)) {
      return this.recurrentOutputs(index, recurrence, tile, shape, held, limits, pace);
    }
    const { operation, inputs } = layer;
    if (['input', 'constant', 'recurrent', 'unsupported'].includes(operation.kind))
      throw new Error(`layer ${layer.name} does not move`);
    const flows = inputs.map((ref) => this.upload(ref, tile.sequence));
    const output = this.upload({ layer: index, output: 0 }, tile.sequence);
    try {
      const context = { ops, layer, keras: versionOf(path.model.producer) };
      const plain = {
        context,
        operation: operation as Parameters<typeof pushPlain>[1]['operation'],
        inputs: flows,
        output: output.value,
      };
      await pace.breathe();
      return [
        pushPlain(
          shape,
          plain,
          inputs.map((ref) => held.get(ref.layer)?.[ref.output] ?? null),
        ),
      ];
    } finally {
      ops.dispose(output.value, ...flows.map(({ value }) => value));
    }
  }

  /** The rows of every direction of a recurrent layer below, put together as its outputs. */
  private async recurrentOutputs(
    index: number,
    recurrence: StackRecurrence,
    tile: StackTile,
    shape: TileShape,
    held: ReadonlyMap<number, readonly (TangentRows | null)[]>,
    limits: ReadonlyMap<number, number>,
    pace: Pace,
  ): Promise<readonly (TangentRows | null)[]> {
    const { operation } = recurrence.layer;
    const directions: DirectionRows[] = [];
    try {
      for (const open of this.openLayer(index, recurrence)) {
        const { direction, steps } = open.run;
        const rows: (ScaledColumns | null)[] = new Array<null>(steps).fill(null);
        const made: { h: (ScaledColumns | null)[]; c: ScaledColumns | null } = { h: rows, c: null };
        directions.push({ ...open, rows: made, sequence: tile.sequence });
        const last = timeIndex(direction, steps, steps - 1);
        const input = this.fed(recurrence.layer.operation, recurrence.layer.inputs[0]!, open, held);
        const order = {
          ...{ tile: shape, cell: open.cell, run: open.run, operators: this.operatorsOf(open, tile.sequence) },
          ...{ input, sequence: tile.sequence, isMeasured: false, steps: limits.get(index) ?? steps },
        };
        await pushRecurrence(order, pace, ({ time, h, c }) => {
          rows[time] = h?.retain() ?? null;
          if (time === last) made.c = c?.retain() ?? null;
        });
        order.operators.rest();
      }
      return joinOutputs(shape, operation, recurrence.mask, directions);
    } finally {
      for (const { rows } of directions) for (const part of [...rows.h, rows.c]) part?.release();
    }
  }

  private async pushTop(
    { tile, directions }: WantedTile,
    shape: TileShape,
    held: ReadonlyMap<number, readonly (TangentRows | null)[]>,
    limits: ReadonlyMap<number, number>,
    pace: Pace,
    receive: (step: StackStep) => void,
  ): Promise<void> {
    const { top, path } = this;
    for (const open of this.openLayer(path.layer, top)) {
      const { direction, steps } = open.run;
      if (!directions.includes(direction)) continue;
      const input = this.fed(top.layer.operation, top.layer.inputs[0]!, open, held);
      const order = {
        ...{ tile: shape, cell: open.cell, run: open.run, operators: this.operatorsOf(open, tile.sequence) },
        ...{ input, sequence: tile.sequence, isMeasured: true, steps: limits.get(path.layer) ?? steps },
      };
      await pushRecurrence(order, pace, (step) => {
        receive({ ...step, direction, tile: shape });
      });
      order.operators.rest();
    }
  }

  /** What a direction is fed. */
  private fed(
    { backwardInput }: RecurrentOperation,
    first: ValueRef,
    { run, cell }: OpenDirection,
    held: ReadonlyMap<number, readonly (TangentRows | null)[]>,
  ): TangentRows {
    const ref = run.direction === 'backward' && backwardInput ? backwardInput : first;
    const rows = held.get(ref.layer)?.[ref.output];
    if (rows) return rows;
    return { widths: [cell.inputDim], rows: Array.from({ length: run.steps }, () => [null]) };
  }

  private upload(ref: ValueRef, sequence: number): Flow {
    const flow = this.path.outputs.get(ref.layer)?.[ref.output];
    if (!flow) throw new Error(`output ${ref.output} of layer ${this.path.model.layers[ref.layer]!.name} is not there`);
    return { value: uploadOne(this.ops, flow, sequence), mask: flow.mask };
  }

  private openLayer(index: number, { runs }: StackRecurrence): readonly OpenDirection[] {
    let open = this.cells.get(index);
    if (!open) {
      open = runs.map(({ cell, run }) => {
        const { direction, batch, steps, mask } = run;
        return { cell: openCell(this.ops, cell), run, valid: validSteps(direction, batch, steps, mask) };
      });
      this.cells.set(index, open);
    }
    return open;
  }

  private operatorsOf(open: OpenDirection, sequence: number): StepOperators {
    let operators = this.operators.get(open);
    if (!operators) {
      const { cell, run, valid } = open;
      operators = new StepOperators(this.precision, cell, run, sequence, valid.of(sequence), this.keepsVectors);
      this.operators.set(open, operators);
    }
    return operators;
  }

  private turnTo(sequence: number): void {
    if (sequence === this.sequence) return;
    this.freeOperators();
    this.sequence = sequence;
  }

  private freeOperators(): void {
    for (const operators of this.operators.values()) operators.dispose();
    this.operators = new Map();
  }
}

/** One reader less; frees what none reads any more. */
function release(
  held: Map<number, readonly (TangentRows | null)[]>,
  readers: Map<number, number>,
  index: number,
): void {
  const left = readers.get(index)! - 1;
  readers.set(index, left);
  if (left > 0) return;
  for (const rows of held.get(index) ?? []) if (rows) releaseRows(rows);
  held.delete(index);
}

/** One sequence of a batch, `[1, ..]`. */
function uploadOne(ops: Ops, { shape, data }: HostFlow, sequence: number): Value {
  const size = data.length / shape[0]!;
  return ops.upload(data.subarray(sequence * size, (sequence + 1) * size), [1, ...shape.slice(1)]);
}
