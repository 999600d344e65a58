/**
 * Two steps of a recurrence that is written out, walked side by side from their results back to the states before.
 */
import type { Constants } from '../constants';
import type { OnnxNode } from '../model';
import type { Scope } from '../scope';
import type { FollowedPart, StepParts } from './step-parts';

/** A step that is made like the one behind it. */
export interface SameStep {
  /** Its nodes. */
  readonly nodes: ReadonlySet<OnnxNode>;
  /** Each state, and what it becomes. */
  readonly states: ReadonlyMap<string, string>;
  /** What it takes from outside, and the sequence that this is a part of; null where it is none that can be told. */
  readonly inputs: ReadonlyMap<string, FollowedPart | null>;
  /** For each state its value before the first step, as far as that is written. */
  readonly initialOf: (hidden: string) => ReadonlyMap<string, string>;
}

/** A step has no more nodes than this. */
const MAX_NODES = 2000;

/**
 * The step from the first h to the second one; null where the step behind it is made otherwise.
 *
 * @param hidden - h of at least three steps.
 * @param depends - Nodes that depend on the recurrent kernel.
 * @param scope - The graph.
 * @param constants - The file's constants.
 * @param parts - Steps of sequences.
 * @throws TempogradError what reading a constant throws.
 */
export async function sameStep(
  hidden: readonly string[],
  depends: ReadonlySet<OnnxNode>,
  scope: Scope,
  constants: Constants,
  parts: StepParts,
): Promise<SameStep | null> {
  const [first = '', second = '', third = ''] = hidden;
  const before = valuesBefore(first, depends, scope);
  const nodes = new Set<OnnxNode>();
  const states = new Map<string, string>();
  const inputs = new Map<string, FollowedPart | null>();
  const walked = new Set<string>();

  const walk = async (name: string, other: string): Promise<boolean> => {
    if (name === '' || walked.has(name)) return (name === '') === (other === '');
    walked.add(name);
    if (name === first || before.has(name)) {
      states.set(name, other);
      return true;
    }
    if (await constants.find(name, scope)) return true;
    const [source, twin] = [scope.find(name), scope.find(other)];
    const isDependent = source?.kind === 'node' && depends.has(source.node);
    if (!isDependent) {
      const part = await parts.follow(name, other);
      if (part) {
        inputs.set(name, part);
        return true;
      }
    }
    const isAlike =
      source?.kind === 'node' &&
      twin?.kind === 'node' &&
      source.node !== twin.node &&
      source.node.operator === twin.node.operator &&
      source.node.inputs.length === twin.node.inputs.length &&
      source.output === twin.output;
    if (!isAlike || nodes.size >= MAX_NODES) {
      if (!isDependent) inputs.set(name, null);
      return !isDependent;
    }
    nodes.add(source.node);
    for (const [index, input] of source.node.inputs.entries()) {
      if (!(await walk(input, twin.node.inputs[index] ?? ''))) return false;
    }
    return true;
  };

  const isAlike = await walk(second, third);
  if (!isAlike || !states.has(first) || inputs.size === 0) return null;
  const initialOf = (initial: string): ReadonlyMap<string, string> =>
    initialStates(second, first, initial, states, scope);
  return { nodes, states, inputs, initialOf };
}

/** Values on the way to h that depend on the recurrent kernel. */
function valuesBefore(hidden: string, depends: ReadonlySet<OnnxNode>, scope: Scope): ReadonlySet<string> {
  const before = new Set<string>();
  const open = [hidden];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const source = scope.find(name);
    if (before.has(name) || source?.kind !== 'node' || !depends.has(source.node)) continue;
    before.add(name);
    open.push(...source.node.inputs);
  }
  return before;
}

/** The same walk beside the first step, whose states are what the recurrence starts from. */
function initialStates(
  second: string,
  first: string,
  hidden: string,
  states: ReadonlyMap<string, string>,
  scope: Scope,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>([[first, hidden]]);
  const open: (readonly [string, string])[] = [[second, first]];
  const walked = new Set<string>();
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const [name, other] = pair;
    if (walked.has(name)) continue;
    walked.add(name);
    if (states.has(name)) {
      if (!found.has(name)) found.set(name, other);
      continue;
    }
    const [source, twin] = [scope.find(name), scope.find(other)];
    if (source?.kind !== 'node') continue;
    const isTwinSame = twin?.kind === 'node' && twin.node.operator === 'Identity';
    // The first step may take a state as it is stored.
    if (source.node.operator === 'Identity' && !isTwinSame) open.push([source.node.inputs[0] ?? '', other]);
    if (twin?.kind !== 'node' || source.node.operator !== twin.node.operator) continue;
    for (const [index, input] of source.node.inputs.entries()) {
      open.push([input, twin.node.inputs[index] ?? '']);
    }
  }
  return found;
}
