/**
 * What a node below a recurrent one is read from, and what it becomes.
 */
import type { PlainOperation, ValueRef } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { unsupported } from '../../reading';
import { DIRECTIONS, ONE, type Axes, type Size } from './axes';
import type { OnnxNode } from './model';

/** A value of the graph that depends on the model's input. */
export interface GraphValue {
  readonly ref: ValueRef;
  readonly axes: Axes;
  /** Size of the last axis of the layer's output, null when it is not known. */
  readonly width: number | null;
}

/** What a node becomes: the same value seen otherwise, or layers one after the other. */
export interface PlainNode {
  readonly operations: readonly PlainOperation[];
  readonly inputs: readonly GraphValue[];
  readonly axes: Axes;
  readonly width: number | null;
}

/** A node with what its inputs are. */
export interface PlainSource {
  readonly node: OnnxNode;
  /** Null for inputs that are constants or omitted. */
  readonly values: readonly (GraphValue | null)[];
  /** The numbers of an input, null when it is omitted or no constant. */
  readonly constant: (input: number) => Promise<RealTensor | null>;
  /** Batch and steps where the file says them. */
  readonly sizes: readonly (number | null)[];
  /** The entries of an input that is a shape, or put together from shapes; null for another input. */
  readonly shape: (input: number) => Promise<readonly Size[] | null>;
  /** Which of the node's outputs is asked for. */
  readonly output: number;
}

/**
 * A value behind some layers, its axes unchanged.
 *
 * @param value - The value.
 * @param operations - The layers.
 * @param width - Of the last axis behind them.
 */
export function onward(value: GraphValue, operations: readonly PlainOperation[], width = value.width): PlainNode {
  return { operations, inputs: [value], axes: value.axes, width };
}

/**
 * Nothing, for a value whose last axis is that of the layer's output.
 *
 * @param value - The value.
 * @throws TempogradError `cell/unsupported` for another.
 */
export function expectFeaturesLast({ axes }: GraphValue): void {
  const last = axes.at(-1) ?? ONE;
  if (last <= 0 || last !== Math.max(...axes) || axes.includes(DIRECTIONS)) {
    throw unsupported('it works on an axis that is not the features');
  }
}

/**
 * Number of axes of the layer's output.
 *
 * @param value - A value.
 */
export function rankOf({ axes }: GraphValue): number {
  return Math.max(...axes) + 1;
}

/**
 * The first input that is no constant.
 *
 * @param source - The node.
 * @throws TempogradError `cell/unsupported` where there is none.
 */
export function first({ values }: PlainSource): GraphValue {
  const value = values.find((candidate) => candidate !== null);
  if (value) return value;
  throw unsupported('what it stands on cannot be told');
}

/**
 * An attribute.
 *
 * @param node - The node.
 * @param name - Its name.
 * @param usual - What it is when it is not said.
 */
export function float(node: OnnxNode, name: string, usual: number): number {
  return node.attributes.get(name)?.float ?? usual;
}

/**
 * An attribute.
 *
 * @param node - The node.
 * @param name - Its name.
 * @param usual - What it is when it is not said.
 */
export function integer(node: OnnxNode, name: string, usual: number): number {
  return node.attributes.get(name)?.integer ?? usual;
}

/**
 * An attribute; empty when it is not said.
 *
 * @param node - The node.
 * @param name - Its name.
 */
export function integers(node: OnnxNode, name: string): readonly number[] {
  return node.attributes.get(name)?.integers ?? [];
}
