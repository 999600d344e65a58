/**
 * What names mean inside a graph: its own values first, then those of the graphs around it.
 */
import { TempogradError } from '../../../core/errors';
import type { OnnxGraph, OnnxInput, OnnxNode } from './model';
import type { OnnxTensor } from './onnx-tensor';

/** Where a value comes from. */
export type ValueSource =
  | { readonly kind: 'initializer'; readonly tensor: OnnxTensor }
  | { readonly kind: 'input'; readonly input: OnnxInput; readonly isOuter: boolean }
  | { readonly kind: 'node'; readonly node: OnnxNode; readonly output: number; readonly scope: Scope };

/** Names of one graph. */
export class Scope {
  readonly graph: OnnxGraph;
  readonly parent: Scope | null;
  readonly #values = new Map<string, ValueSource>();
  readonly #aliases: ReadonlyMap<string, string>;

  /**
   * @param graph - The graph.
   * @param parent - The scope around it, null for the model's own graph.
   * @param aliases - Names of this graph that stand for names around it.
   * @throws TempogradError `reader/corrupt` where two nodes, or a node and an initializer, give a value of the same name.
   */
  constructor(graph: OnnxGraph, parent: Scope | null, aliases: ReadonlyMap<string, string> = new Map()) {
    this.graph = graph;
    this.parent = parent;
    this.#aliases = aliases;
    for (const input of graph.inputs) this.#values.set(input.name, { kind: 'input', input, isOuter: parent === null });
    // An initializer of the same name as an input is that input's value when nothing is fed.
    for (const [name, tensor] of graph.initializers) this.#values.set(name, { kind: 'initializer', tensor });
    for (const node of graph.nodes) {
      for (const [output, name] of node.outputs.entries()) {
        if (name === '') continue;
        const known = this.#values.get(name)?.kind;
        if (known === 'node' || known === 'initializer') {
          const other = known === 'node' ? 'Two nodes give' : 'A node and an initializer give';
          throw new TempogradError('reader/corrupt', `${other} the value ${name}`, { details: { name } });
        }
        this.#values.set(name, { kind: 'node', node, output, scope: this });
      }
    }
  }

  /**
   * Where a value comes from, null for a name that nothing gives.
   *
   * @param name - The value.
   */
  find(name: string): ValueSource | null {
    if (name === '') return null;
    const alias = this.#aliases.get(name);
    if (alias !== undefined) return this.parent?.find(alias) ?? null;
    return this.#values.get(name) ?? this.parent?.find(name) ?? null;
  }

  /**
   * The name around this graph that a name stands for, null for one of the graph's own.
   *
   * @param name - The value.
   */
  outerName(name: string): string | null {
    return this.#aliases.get(name) ?? (this.#values.has(name) ? null : name);
  }
}
