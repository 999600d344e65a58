/**
 * Recurrences written out step by step in the graph -> a Scan node that steps them, read as any other.
 *
 * A recurrent kernel is a stored matrix that multiplies, again and again, what came of its own product before. Two steps
 * that are made alike give the body of the Scan: walked side by side they tell what each state becomes, and what is x.
 * Exporters write a recurrence so that they have no operator for; the numbers of steps are then those of the file.
 */
import type { Constants } from '../constants';
import { makeAttribute, makeNode } from '../make-node';
import type { OnnxGraph, OnnxNode } from '../model';
import type { Scope } from '../scope';
import { sameStep, type SameStep } from './same-step';
import { StepParts } from './step-parts';

/** Fewer products are no recurrence that can be told. */
const MIN_STATES = 3;
const MAX_KERNELS = 200;

/** One recurrence. */
interface Chain {
  /** h of the steps but the last one. */
  readonly hidden: readonly string[];
  /** h before the first step, empty where it is not written. */
  readonly initial: string;
  readonly lastProduct: OnnxNode;
  readonly depends: ReadonlySet<OnnxNode>;
}

/** A Scan node and what takes the place of nodes that put its steps together. */
interface Rolled {
  readonly scan: OnnxNode;
  readonly at: OnnxNode;
  readonly replaced: ReadonlyMap<OnnxNode, OnnxNode>;
}

/**
 * The graph with a Scan node for each recurrence that is written out.
 *
 * @param scope - The model's graph.
 * @param constants - The file's constants.
 * @throws TempogradError what reading a constant throws.
 */
export async function rollUp(scope: Scope, constants: Constants): Promise<OnnxGraph> {
  const { graph } = scope;
  const kernels = await repeatedKernels(scope, constants);
  if (kernels.size === 0 || kernels.size > MAX_KERNELS) return graph;
  const parts = new StepParts(scope, constants);
  const consumers = consumersOf(graph);
  const known = new Set<OnnxNode>();
  const rolled: Rolled[] = [];
  for (const products of projectedFirst([...kernels.values()], scope)) {
    if (products.some((product) => known.has(product))) continue;
    const chain = await chainOf(products, scope, constants, consumers);
    const step =
      chain &&
      (await sameStep(chain.hidden, chain.depends, scope, constants, parts, behind(chain.lastProduct, consumers)));
    if (!chain || !step) continue;
    for (const node of step.nodes) known.add(node);
    rolled.push(await scanOf(chain, step, `unrolled_${String(rolled.length)}`, scope, constants, parts));
  }
  if (rolled.length === 0) return graph;
  const scans = new Map(rolled.map(({ at, scan }) => [at, scan]));
  const replaced = new Map(rolled.flatMap((one) => [...one.replaced]));
  const nodes = graph.nodes.flatMap((node) => {
    const scan = scans.get(node);
    return scan ? [replaced.get(node) ?? node, scan] : [replaced.get(node) ?? node];
  });
  return { ...graph, nodes };
}

/** Products by the name of their stored matrix, where it is used several times. */
async function repeatedKernels(scope: Scope, constants: Constants): Promise<ReadonlyMap<string, readonly OnnxNode[]>> {
  const products = new Map<string, OnnxNode[]>();
  for (const node of scope.graph.nodes) {
    if (node.domain !== '' || !['MatMul', 'Gemm'].includes(node.operator)) continue;
    const kernel = originalOf(node.inputs[1] ?? '', scope);
    const uses = products.get(kernel);
    if (uses) uses.push(node);
    else products.set(kernel, [node]);
  }
  for (const [kernel, uses] of [...products]) {
    if (uses.length < MIN_STATES || !(await constants.find(kernel, scope))) products.delete(kernel);
  }
  return products;
}

/** Exporters give one stored matrix several names by Identity nodes. */
function originalOf(start: string, scope: Scope): string {
  let name = start;
  for (let step = 0; step < MAX_IDENTITIES; step++) {
    const source = scope.find(name);
    if (source?.kind !== 'node' || source.node.operator !== 'Identity' || source.node.domain !== '') break;
    name = source.node.inputs[0] ?? '';
  }
  return name;
}

const MAX_IDENTITIES = 100;

/**
 * Kernels whose state is itself a product come first: with a projection, both it and the recurrent kernel are applied at
 * each step, and h is what the projection gives.
 */
function projectedFirst(kernels: readonly (readonly OnnxNode[])[], scope: Scope): readonly (readonly OnnxNode[])[] {
  const isProjected = (products: readonly OnnxNode[]): boolean => {
    const source = scope.find(products.at(-1)?.inputs[0] ?? '');
    return source?.kind === 'node' && ['MatMul', 'Gemm'].includes(source.node.operator);
  };
  return [...kernels.filter(isProjected), ...kernels.filter((products) => !isProjected(products))];
}

function consumersOf(graph: OnnxGraph): ReadonlyMap<string, readonly OnnxNode[]> {
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const known = consumers.get(input);
      if (known) known.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}

/** What depends on a product, nearest first; no further than a step reaches. */
function behind(product: OnnxNode, consumers: ReadonlyMap<string, readonly OnnxNode[]>): ReadonlySet<string> {
  const found = new Set<string>(product.outputs);
  for (const name of found) {
    for (const node of consumers.get(name) ?? []) {
      if (found.size >= MAX_BEHIND) return found;
      for (const output of node.outputs) if (output !== '') found.add(output);
    }
  }
  return found;
}

const MAX_BEHIND = 200;

async function chainOf(
  products: readonly OnnxNode[],
  scope: Scope,
  constants: Constants,
  consumers: ReadonlyMap<string, readonly OnnxNode[]>,
): Promise<Chain | null> {
  const depends = new Set<OnnxNode>();
  const open = [...products];
  for (let node = open.pop(); node; node = open.pop()) {
    if (depends.has(node)) continue;
    depends.add(node);
    for (const output of node.outputs) for (const consumer of consumers.get(output) ?? []) open.push(consumer);
  }
  const isDependent = (name: string): boolean => {
    const source = scope.find(name);
    return source?.kind === 'node' && depends.has(source.node);
  };
  // h may stand beside x in one product.
  const data = products.map((product): readonly string[] => {
    const [name = ''] = product.inputs;
    const source = scope.find(name);
    return source?.kind === 'node' && source.node.operator === 'Concat' ? source.node.inputs : [name];
  });
  const place = data.find((names) => names.some(isDependent))?.findIndex(isDependent) ?? -1;
  if (place < 0) return null;
  const states = data.map((names) => names[place] ?? '');
  const start = states.findIndex(isDependent);
  const hidden = states.slice(start);
  const lastProduct = products.at(-1);
  if (hidden.length < MIN_STATES || !hidden.every(isDependent) || !lastProduct) return null;
  const before = start > 0 ? (states[start - 1] ?? '') : '';
  const isStored = before !== '' && (await constants.find(before, scope)) !== null;
  const initial = isStored || scope.find(before) !== null ? before : '';
  return { hidden, initial, lastProduct, depends };
}

async function scanOf(
  chain: Chain,
  step: SameStep,
  name: string,
  scope: Scope,
  constants: Constants,
  parts: StepParts,
): Promise<Rolled> {
  const sequence = `${name}/h`;
  const [first = ''] = chain.hidden;
  // Where h is zero at first, exporters fold the first product away: its step is then known by its place alone.
  const isFolded = [...step.inputs.values()].some((part) => part?.isReversed === false && part.index === 2);
  const hidden = isFolded ? [chain.initial, ...chain.hidden] : chain.hidden;
  const initial = isFolded ? new Map<string, string>() : step.initialOf(chain.initial);
  const order = [first, ...[...step.states.keys()].filter((state) => state !== first)];
  const next = order.map((state) => step.states.get(state) ?? '');
  const inputs = [...step.inputs];
  const body: OnnxGraph = {
    nodes: scope.graph.nodes.filter((node) => step.nodes.has(node)),
    initializers: new Map(),
    inputs: [...order, ...inputs.map(([inside]) => inside)].map((input) => ({
      name: input,
      elementType: 1,
      shape: null,
    })),
    outputs: [...next, next[0] ?? ''],
  };
  const scan = makeNode({
    name,
    operator: 'Scan',
    inputs: [...order.map((state) => initial.get(state) ?? ''), ...inputs.map(([, part]) => part?.sequence ?? '')],
    outputs: [...order.map((_, index) => `${name}/state${String(index)}`), sequence],
    attributes: new Map([
      ['body', makeAttribute({ graph: body })],
      ['num_scan_inputs', makeAttribute({ integer: inputs.length })],
      ['scan_input_axes', makeAttribute({ integers: inputs.map(([, part]) => part?.axis ?? 0) })],
      [
        'scan_input_directions',
        makeAttribute({ integers: inputs.map(([, part]) => Number(part?.isReversed ?? false)) }),
      ],
    ]),
  });
  const isReversed = inputs.some(([, part]) => part?.isReversed === true);
  const replaced = await joinedSteps(hidden, isReversed, sequence, scope, constants);
  parts.add(sequence, hidden, replaced.last);
  return { scan, at: chain.lastProduct, replaced: replaced.nodes };
}

/** Nodes that put all steps beside one another, and what they are of the sequence `[T, B, H]`. */
async function joinedSteps(
  hidden: readonly string[],
  isReversed: boolean,
  sequence: string,
  scope: Scope,
  constants: Constants,
): Promise<{ readonly nodes: ReadonlyMap<OnnxNode, OnnxNode>; readonly last: string }> {
  const nodes = new Map<OnnxNode, OnnxNode>();
  let last = '';
  for (const node of scope.graph.nodes) {
    if (node.operator !== 'Concat' || node.inputs.length !== hidden.length + 1) continue;
    const steps: { readonly name: string; readonly axis: number | null }[] = [];
    for (const input of node.inputs) steps.push(await unwrapped(input, scope, constants));
    if (isReversed) steps.reverse();
    const [head] = steps;
    if (!head || !steps.every(({ axis }) => axis === head.axis)) continue;
    if (!hidden.every((name, index) => steps[index]?.name === name)) continue;
    last = steps.at(-1)?.name ?? '';
    const axis = node.attributes.get('axis')?.integer ?? 0;
    // h as [1, B, H] has its axis of time already.
    const hasTime = head.axis === null && axis === 0 && (await rankOf(head.name, scope, constants)) === 3;
    const made = asJoined(hasTime ? 0 : head.axis, axis, sequence, node);
    if (made) nodes.set(node, made);
  }
  return { nodes, last };
}

/** `[T, B, H]`, `[B, T, H]` or `[T*B, H]` of the sequence; null for another joint. */
function asJoined(added: number | null, axis: number, sequence: string, { name, outputs }: OnnxNode): OnnxNode | null {
  const node = (operator: string, key: string, integers: readonly number[]): OnnxNode =>
    makeNode({
      name,
      operator,
      inputs: [sequence],
      outputs,
      attributes: new Map([[key, makeAttribute({ integers })]]),
    });
  if (added === null) return axis === 0 ? node('Reshape', 'shape', [-1, 0]) : null;
  if (added !== axis) return null;
  return axis === 0 ? node('Transpose', 'perm', [0, 1, 2]) : axis === 1 ? node('Transpose', 'perm', [1, 0, 2]) : null;
}

/** Axes of a value that is computed entry by entry, by the constants it is joined with; 0 where nothing tells. */
async function rankOf(name: string, scope: Scope, constants: Constants, depth = 0): Promise<number> {
  const stored = await constants.find(name, scope);
  if (stored) return stored.shape.length;
  const source = scope.find(name);
  if (source?.kind !== 'node' || depth > MAX_RANK_DEPTH || !ENTRYWISE.has(source.node.operator)) return 0;
  let rank = 0;
  for (const input of source.node.inputs) rank = Math.max(rank, await rankOf(input, scope, constants, depth + 1));
  return rank;
}

const MAX_RANK_DEPTH = 6;
const ENTRYWISE: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Sigmoid', 'Tanh', 'Relu', 'Identity']);

/** What an Unsqueeze is applied to, and where it puts the axis; null for no Unsqueeze. */
async function unwrapped(
  name: string,
  scope: Scope,
  constants: Constants,
): Promise<{ readonly name: string; readonly axis: number | null }> {
  const source = scope.find(name);
  if (source?.kind !== 'node' || source.node.operator !== 'Unsqueeze') return { name, axis: null };
  const { node } = source;
  const stored = node.inputs[1] ? await constants.find(node.inputs[1], scope) : null;
  const axes = stored ? Array.from((await stored.read()).data) : (node.attributes.get('axes')?.integers ?? []);
  return { name: node.inputs[0] ?? '', axis: axes.length === 1 ? (axes[0] ?? null) : null };
}
