/**
 * Which step of which sequence a value is: what Gather, Slice and Split take out, and the steps of recurrences that are
 * already known.
 */
import type { Constants } from '../constants';
import type { OnnxNode } from '../model';
import type { Scope } from '../scope';

/** One step of a sequence. */
export interface StepPart {
  readonly sequence: string;
  readonly axis: number;
  readonly index: number;
}

/** The sequence of two parts that follow one another. */
export interface FollowedPart {
  readonly sequence: string;
  readonly axis: number;
  readonly isReversed: boolean;
  /** Place of the first of the two. */
  readonly index: number;
}

const MAX_STEPS = 20;

/** Resolves values of a graph to steps of sequences. */
export class StepParts {
  readonly #scope: Scope;
  readonly #constants: Constants;
  readonly #known = new Map<string, StepPart>();

  /**
   * @param scope - The graph.
   * @param constants - The file's constants.
   */
  constructor(scope: Scope, constants: Constants) {
    this.#scope = scope;
    this.#constants = constants;
  }

  /**
   * Values that are the steps of a sequence `[T, B, H]`.
   *
   * @param sequence - Its name.
   * @param steps - Its steps in order.
   * @param last - The step behind them, empty where it is not known.
   */
  add(sequence: string, steps: readonly string[], last: string): void {
    for (const [index, name] of [...steps, last].entries()) {
      if (name !== '') this.#known.set(name, { sequence, axis: 0, index });
    }
  }

  /**
   * What two values of steps that follow one another are parts of; null where they are none.
   *
   * @param first - The one of the first step.
   * @param second - The one of the step behind it.
   */
  async follow(first: string, second: string): Promise<FollowedPart | null> {
    const [a, b] = [await this.#partOf(first), await this.#partOf(second)];
    if (!a || a.sequence !== b?.sequence || a.axis !== b.axis || Math.abs(b.index - a.index) !== 1) return null;
    return { sequence: a.sequence, axis: a.axis, isReversed: b.index < a.index, index: a.index };
  }

  async #partOf(start: string): Promise<StepPart | null> {
    let name = start;
    for (let step = 0; step < MAX_STEPS; step++) {
      const known = this.#known.get(name);
      if (known) return known;
      const source = this.#scope.find(name);
      if (source?.kind !== 'node' || source.node.domain !== '') return null;
      const { node, output } = source;
      const [sequence = ''] = node.inputs;
      const taken = await this.#taken(node, output);
      if (taken) return { sequence, ...taken };
      if (!['Identity', 'Squeeze', 'Reshape'].includes(node.operator)) return null;
      name = sequence;
    }
    return null;
  }

  /** Axis and place of the one entry that a node takes. */
  async #taken(node: OnnxNode, output: number): Promise<{ readonly axis: number; readonly index: number } | null> {
    const said = async (input: number, key: string): Promise<readonly number[]> => {
      const stored = node.inputs[input] ? await this.#constants.find(node.inputs[input], this.#scope) : null;
      const length = stored?.shape.reduce((product, size) => product * size, 1) ?? 0;
      if (stored && length === 1) return Array.from((await stored.read()).data);
      return node.attributes.get(key)?.integers ?? [];
    };
    const axis = node.attributes.get('axis')?.integer ?? 0;
    if (node.operator === 'Gather') {
      const [index] = await said(1, '');
      return index === undefined ? null : { axis, index };
    }
    if (node.operator === 'Split') return { axis, index: output };
    if (node.operator !== 'Slice') return null;
    const [start] = await said(1, 'starts');
    const [end] = await said(2, 'ends');
    const [over = 0] = await said(3, 'axes');
    return start !== undefined && end === start + 1 ? { axis: over, index: start } : null;
  }
}
