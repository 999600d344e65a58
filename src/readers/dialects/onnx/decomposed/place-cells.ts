/**
 * Puts the cells of a Loop or Scan into the graph of layers.
 */
import {
  hiddenSize,
  type CellDescription,
  type CellKind,
  type LayerOperation,
  type RecurrentOperation,
  type ValueRef,
} from '../../../../core/model';
import { wholeSequence } from '../../../../core/whole-sequence';
import type { RealTensor } from '../../../../core/tensor';
import type { GraphBuilder } from '../../../graph-builder';
import { assume, unsupported, type Reading } from '../../../reading';
import { takeTensor } from '../../../take-tensor';
import type { Constants } from '../constants';
import type { OnnxNode } from '../model';
import type { Scope } from '../scope';
import { uniformValue } from '../uniform';
import { readBodyCells, type BodyCell } from './read-body';
import { weightInfos } from './weight-roles';

/** Where cells go, and what is known around the node. */
export interface Surroundings {
  readonly scope: Scope;
  readonly constants: Constants;
  readonly reading: Reading;
  readonly builder: GraphBuilder;
  /** The layer's output that a sequence is, its time on `axis`; null where nothing is known of it. */
  readonly sequence: (name: string, axis: number, layer: string) => ValueRef | null;
}

/** A cell's layer, and which outputs of the node it gives. */
export interface PlacedCell {
  readonly ref: ValueRef;
  readonly cell: CellDescription;
  readonly outputs: BodyCell['outputs'];
}

const GATES: Readonly<Record<CellKind, readonly string[]>> = {
  SimpleRNN: [],
  LSTM: ['i', 'f', 'c', 'o'],
  GRU: ['z', 'r', 'h'],
};

/**
 * Adds a layer for each cell that the body of a node steps, those that feed others first.
 *
 * @param node - A Loop or Scan node.
 * @param name - Its layer's name; several cells get `.cell0`, `.cell1`.
 * @param around - Where it stands.
 * @throws TempogradError `cell/unsupported` where no cell can be told, and what reading a constant throws.
 */
export async function placeBodyCells(
  node: OnnxNode,
  name: string,
  around: Surroundings,
): Promise<readonly PlacedCell[]> {
  const { scope, constants, reading, builder } = around;
  const cells = await readBodyCells(node, scope, name, constants, reading);
  if (cells.length === 0) {
    throw unsupported(`Layer ${name}: its body computes step by step, but is none of the cells that are known`);
  }
  const order = orderOf(cells);
  const placed: PlacedCell[] = [];
  const layers = new Map<number, ValueRef>();
  for (const number of order) {
    const found = cells[number];
    if (!found) continue;
    const layer = cells.length === 1 ? name : `${name}.cell${String(order.indexOf(number))}`;
    const below = found.below === null ? null : (layers.get(found.below) ?? null);
    const input = below ?? (found.sequence && around.sequence(found.sequence.name, found.sequence.axis, layer));
    const initialState = await initialOf(found, layer, around);
    const isReversed = found.isReversed || (found.below !== null && cells[found.below]?.isReversed === true);
    const ref = {
      layer: builder.add({
        name: layer,
        className: node.operator,
        operation: operationOf(found, isReversed, initialState),
        inputs: input ? [input] : [],
        // The tensors of several cells are not told apart.
        weights: cells.length === 1 ? weightInfos(found.taken, found.cell) : [],
        path: name,
        sourceGateOrder: GATES[found.cell.kind],
      }),
      output: 0,
    };
    layers.set(number, ref);
    placed.push({ ref, cell: found.cell, outputs: found.outputs });
    assume(reading, {
      what: `cell of ${layer}`,
      assumed: found.cell.kind,
      why: `its ${node.operator} steps the equations of this cell with plain operators`,
      change: '',
    });
    if (found.mask !== null) {
      assume(reading, {
        what: `mask of ${layer}`,
        assumed: 'every step counts',
        why: `the value ${found.mask} is computed when the model runs`,
        change: '--mask',
      });
    }
  }
  return placed;
}

/** Each cell behind the one that feeds it; a circle is put in the order of the file. */
function orderOf(cells: readonly BodyCell[]): readonly number[] {
  const order: number[] = [];
  for (let round = 0; round < cells.length; round++) {
    for (const [number, { below }] of cells.entries()) {
      if (!order.includes(number) && (below === null || order.includes(below))) order.push(number);
    }
  }
  for (const number of cells.keys()) if (!order.includes(number)) order.push(number);
  return order;
}

function operationOf(
  { cell }: BodyCell,
  isReversed: boolean,
  initialState: readonly ValueRef[],
): LayerOperation & RecurrentOperation {
  return { ...wholeSequence(isReversed ? null : cell, isReversed ? cell : null), returnState: true, initialState };
}

/** Stored initial states; those that are computed or fed are taken as zeros. */
async function initialOf(found: BodyCell, layer: string, around: Surroundings): Promise<readonly ValueRef[]> {
  const states: { readonly name: string; readonly value: RealTensor }[] = [];
  for (const [index, name] of found.initial.entries()) {
    const units = index === 0 ? hiddenSize(found.cell) : found.cell.units;
    const same = await uniformValue(name, around.scope, around.constants);
    if (same !== null) {
      const data = new Float32Array(units).fill(same);
      states.push({ name, value: { shape: [1, units], data } });
      continue;
    }
    const stored = await around.constants.find(name, around.scope);
    const value = stored && stateOf(await takeTensor(stored, layer, around.reading), units);
    if (!value) {
      assume(around.reading, {
        what: `initial state of ${layer}`,
        assumed: 'zeros',
        why: 'it is fed or computed when the model runs',
        change: '--initial-state',
      });
      return [];
    }
    states.push({ name, value });
  }
  if (states.every(({ value }) => value.data.every((entry) => entry === 0))) return [];
  return states.map(({ name, value }) => ({
    layer: around.builder.add({
      name: `${layer}/${name}`,
      className: 'Constant',
      operation: { kind: 'constant', value },
      inputs: [],
      weights: [],
      path: name,
      sourceGateOrder: [],
    }),
    output: 0,
  }));
}

/** `[B, H]` out of `[H]`, `[B, H]` or `[1, B, H]`; null for another shape. */
function stateOf({ shape, data }: RealTensor, units: number): RealTensor | null {
  const rows = shape.length === 1 ? 1 : (shape.at(-2) ?? 0);
  return shape.at(-1) === units && rows * units === data.length ? { shape: [rows, units], data } : null;
}
