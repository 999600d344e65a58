/**
 * Two steps of a recurrence that is written out, walked side by side from their results back to the states before.
 */
import type { Constants } from '../constants';
import type { StoredTensor } from '../../../stored-tensor';
import type { OnnxAttribute, OnnxNode } from '../model';
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
 * @param behind - Values that depend on the last product, nearest first.
 * @throws TempogradError what reading a constant throws.
 */
export async function sameStep(
  hidden: readonly string[],
  depends: ReadonlySet<OnnxNode>,
  scope: Scope,
  constants: Constants,
  parts: StepParts,
  behind: Iterable<string>,
): Promise<SameStep | null> {
  const [first = '', second = '', third = ''] = hidden;
  const tools: StepTools = { depends, scope, constants, parts };
  const step = await alikeSteps(second, third, new Set([first, ...valuesBefore(first, depends, scope)]), tools);
  if (!step || !step.states.has(first) || step.inputs.size === 0) return null;
  // Every other step has to be made like the one before it too: with other numbers it is another cell.
  let last = step;
  for (let at = 2; at + 1 < hidden.length; at++) {
    const next = await alikeSteps(hidden[at] ?? '', hidden[at + 1] ?? '', new Set(last.states.values()), tools);
    if (!next || next.nodes.size !== step.nodes.size || next.states.size !== step.states.size) return null;
    last = next;
  }
  if (!(await endsAlike(hidden.at(-1) ?? '', behind, new Set(last.states.values()), tools))) return null;
  const initialOf = (initial: string): ReadonlyMap<string, string> =>
    initialStates(second, first, initial, step.states, scope);
  return { ...step, initialOf };
}

/** What steps are compared with. */
interface StepTools {
  readonly depends: ReadonlySet<OnnxNode>;
  readonly scope: Scope;
  readonly constants: Constants;
  readonly parts: StepParts;
}

/** Whether one of the values behind the last product is made like h before it; what only moves h may be missing there. */
async function endsAlike(
  hidden: string,
  behind: Iterable<string>,
  before: ReadonlySet<string>,
  tools: StepTools,
): Promise<boolean> {
  const candidates = [...behind];
  let name = hidden;
  for (let step = 0; step < MAX_MOVES; step++) {
    const source = tools.scope.find(name);
    if (source?.kind !== 'node') return false;
    for (const candidate of candidates) if (await alikeSteps(name, candidate, before, tools)) return true;
    if (!MOVING.has(source.node.operator)) return false;
    name = source.node.inputs[0] ?? '';
  }
  return false;
}

const MAX_MOVES = 6;
const MOVING: ReadonlySet<string> = new Set('Identity Cast Reshape Squeeze Unsqueeze Transpose'.split(' '));

/** What the step to `result` is made of, where the step to `following` is made of the same; null where it is not. */
async function alikeSteps(
  result: string,
  following: string,
  before: ReadonlySet<string>,
  { depends, scope, constants, parts }: StepTools,
): Promise<Pick<SameStep, 'nodes' | 'states' | 'inputs'> | null> {
  const nodes = new Set<OnnxNode>();
  const states = new Map<string, string>();
  const inputs = new Map<string, FollowedPart | null>();
  const walked = new Map<string, string>();

  const walk = async (name: string, other: string): Promise<boolean> => {
    if (name === '' || walked.has(name)) return name === '' ? other === '' : walked.get(name) === other;
    walked.set(name, other);
    if (before.has(name)) {
      states.set(name, other);
      return true;
    }
    const stored = await constants.find(name, scope);
    if (stored) return name === other || isSameTensor(stored, await constants.find(other, scope));
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
      source.output === twin.output &&
      isSameOperation(source.node, twin.node);
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

  return (await walk(result, following)) ? { nodes, states, inputs } : null;
}

/** Whether two nodes do the same with their inputs. */
function isSameOperation(a: OnnxNode, b: OnnxNode): boolean {
  if (a.operator !== b.operator || a.domain !== b.domain || a.overload !== b.overload) return false;
  if (a.inputs.length !== b.inputs.length || a.attributes.size !== b.attributes.size) return false;
  return [...a.attributes].every(([key, attribute]) => isSameAttribute(attribute, b.attributes.get(key)));
}

/** Whether two attributes hold the same; those that hold graphs or tensors do only where they are one. */
function isSameAttribute(a: OnnxAttribute, b: OnnxAttribute | undefined): boolean {
  if (!b) return false;
  const isSameList = (first: readonly unknown[], second: readonly unknown[]): boolean =>
    first.length === second.length && first.every((value, at) => Object.is(value, second[at]));
  return (
    Object.is(a.float, b.float) &&
    a.integer === b.integer &&
    a.text === b.text &&
    a.tensor === b.tensor &&
    a.graph === b.graph &&
    isSameList(a.floats, b.floats) &&
    isSameList(a.integers, b.integers) &&
    isSameList(a.texts, b.texts)
  );
}

/** Whether two stored tensors hold the same numbers. */
async function isSameTensor(a: StoredTensor, b: StoredTensor | null): Promise<boolean> {
  if (!b || a.shape.length !== b.shape.length || a.shape.some((size, axis) => size !== b.shape[axis])) return false;
  const [first, second] = [(await a.read()).data, (await b.read()).data];
  return first.every((value, at) => Object.is(value, second[at]));
}

/** Values on the way to h that depend on the recurrent kernel. */
function valuesBefore(hidden: string, depends: ReadonlySet<OnnxNode>, scope: Scope): ReadonlySet<string> {
  const before = new Set<string>();
  const open = [hidden];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const source = scope.find(name);
    if (before.has(name) || source?.kind !== 'node' || !depends.has(source.node)) continue;
    before.add(name);
    for (const input of source.node.inputs) open.push(input);
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
