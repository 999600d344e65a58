/**
 * The graphs inside If nodes: they see the values around them, and what the node gives is what one of them gives.
 */
import { ONNX_CELLS } from './cells';
import type { Constants } from './constants';
import { hasCellOperators } from './decomposed/read-body';
import type { OnnxGraph, OnnxNode } from './model';
import { Scope } from './scope';

/** The branch that is followed. */
export interface ChosenBranch {
  readonly key: string;
  readonly scope: Scope;
  /** False where the condition is known only when the model runs. */
  readonly isCertain: boolean;
}

const KEYS = ['then_branch', 'else_branch'] as const;

/**
 * Whether a node has branches.
 *
 * @param node - The node.
 */
export function isBranching({ domain, operator }: OnnxNode): boolean {
  return domain === '' && operator === 'If';
}

/**
 * Whether a node is one of the recurrent operators.
 *
 * @param node - The node.
 */
export function isRecurrentNode({ domain, operator }: OnnxNode): boolean {
  return domain === '' && Object.hasOwn(ONNX_CELLS, operator);
}

/** Scopes of branches, each made once. */
export class Branches {
  readonly #constants: Constants;
  readonly #scopes = new Map<OnnxGraph, Scope>();
  readonly #recurrent = new Map<OnnxGraph, boolean>();

  /**
   * @param constants - The file's constants.
   */
  constructor(constants: Constants) {
    this.#constants = constants;
  }

  /**
   * A graph's scope, then those of the branches in it, and in them.
   *
   * @param scope - The graph's.
   */
  within(scope: Scope): readonly Scope[] {
    const found: Scope[] = [scope];
    for (const around of found) {
      for (const node of around.graph.nodes) {
        for (const { graph } of branchesOf(node)) found.push(this.scopeOf(graph, around));
      }
    }
    return found;
  }

  /**
   * The scope of a branch.
   *
   * @param graph - The branch.
   * @param around - The scope that its node stands in.
   */
  scopeOf(graph: OnnxGraph, around: Scope): Scope {
    const known = this.#scopes.get(graph);
    if (known) return known;
    const scope = new Scope(graph, around);
    this.#scopes.set(graph, scope);
    return scope;
  }

  /**
   * The branch that a stored condition chooses, else the one that holds a recurrence, else the first.
   *
   * @param node - An If node.
   * @param scope - Where it stands.
   * @returns null for a node without branches.
   * @throws TempogradError what reading a constant throws.
   */
  async chosen(node: OnnxNode, scope: Scope): Promise<ChosenBranch | null> {
    const branches = branchesOf(node);
    const [first] = branches;
    if (!first) return null;
    const stored = await this.#constants.find(node.inputs[0] ?? '', scope);
    const condition = stored?.shape.every((size) => size === 1) ? (await stored.read()).data[0] : undefined;
    const certain = branches.find(
      ({ key }) => condition !== undefined && (key === 'then_branch') === (condition !== 0),
    );
    const found = certain ?? branches.find(({ graph }) => this.#holdsRecurrence(graph)) ?? first;
    return { key: found.key, scope: this.scopeOf(found.graph, scope), isCertain: certain !== undefined };
  }

  #holdsRecurrence(graph: OnnxGraph): boolean {
    const known = this.#recurrent.get(graph);
    if (known !== undefined) return known;
    const found = graph.nodes.some(
      (node) =>
        isRecurrentNode(node) ||
        hasCellOperators(node) ||
        branchesOf(node).some(({ graph: inner }) => this.#holdsRecurrence(inner)),
    );
    this.#recurrent.set(graph, found);
    return found;
  }
}

function branchesOf(node: OnnxNode): readonly { readonly key: string; readonly graph: OnnxGraph }[] {
  if (!isBranching(node)) return [];
  return KEYS.flatMap((key) => {
    const graph = node.attributes.get(key)?.graph;
    return graph ? [{ key, graph }] : [];
  });
}
