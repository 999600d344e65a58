/**
 * Loop and Scan nodes whose body steps a recurrent cell with plain operators -> cells with their weights.
 *
 * Source: ONNX operators Loop and Scan; opset 8 gives Scan the lengths first and a batch axis before time.
 */
import { TempogradError } from '../../../../core/errors';
import type { Reading } from '../../../reading';
import type { Constants } from '../constants';
import type { OnnxNode } from '../model';
import { Scope } from '../scope';
import { formOf, MAX_FORM_NUMBERS, type Atom, type LinearForm } from './linear-forms';
import { isSumOf, type MatchedCell } from './cell-forms';
import { unmask, type Unmasked } from './masks';
import { matchCells } from './match-cell';
import { stepOf, traceBody } from './trace-body';
import type { Trace } from './body-values';
import type { TakenTensor } from './weight-roles';

/** A cell of a body, with names of the graph around. */
export interface BodyCell extends MatchedCell {
  /** The sequence that is x, and its axis of time; null where x is made inside the body. */
  readonly sequence: { readonly name: string; readonly axis: number } | null;
  readonly isReversed: boolean;
  /** Name of the sequence that says which steps count; null where all do. */
  readonly mask: string | null;
  /** Number of the cell among those found that gives x; null for none. */
  readonly below: number | null;
  /** Constants that the body takes, whichever cell they belong to. */
  readonly taken: readonly TakenTensor[];
  /** Names of the initial h and c. */
  readonly initial: readonly string[];
  /** Outputs of the node that are h of all steps, h and c of the last one, by number; null for none. */
  readonly outputs: { readonly sequence: number | null; readonly hidden: number; readonly cell: number | null };
}

/** The names of a body by their part. */
interface Parts {
  readonly states: readonly string[];
  readonly next: readonly string[];
  readonly initial: readonly string[];
  /** Name inside, name outside, axis. */
  readonly scanned: readonly {
    readonly inside: string;
    readonly outside: string;
    readonly axis: number;
    readonly isReversed: boolean;
  }[];
  readonly step: string | null;
  readonly collected: readonly string[];
}

/** A width that follows from the output of a state is known one pass later. */
const MAX_PASSES = 3;
const MAX_IDENTITIES = 100;
const GATES: ReadonlySet<string> = new Set(['Sigmoid', 'Tanh', 'Relu', 'HardSigmoid', 'Elu', 'Softsign', 'LeakyRelu']);
const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm']);

/**
 * The cells that the body of a Loop or Scan steps; none where it cannot be told.
 *
 * @param node - A Loop or Scan node.
 * @param scope - The graph it stands in.
 * @param layer - Its layer's name.
 * @param constants - The file's constants.
 * @param reading - The reading.
 * @throws TempogradError what reading a constant throws.
 */
export async function readBodyCells(
  node: OnnxNode,
  scope: Scope,
  layer: string,
  constants: Constants,
  reading: Reading,
): Promise<readonly BodyCell[]> {
  const body = node.attributes.get('body')?.graph;
  if (!body || !hasCellOperators(node)) return [];
  const own = new Scope(body, scope);
  const parts = node.operator === 'Scan' ? partsOfScan(node, own) : partsOfLoop(node, own);
  if (!parts) return [];
  const fixed = fixedStates(parts, own);
  const inner = new Scope(body, scope, fixed);

  const atoms = parts.states.map((_, index): Atom => ({ kind: 'state', index }));
  const widths = parts.states.map((name) => widthOf(name, inner));
  for (const [index, name] of parts.initial.entries()) {
    widths[index] ??= (await constants.find(name, scope))?.shape.at(-1) ?? null;
  }
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const trace: Trace = {
      layer,
      scope: inner,
      constants,
      reading,
      budget: { numbers: MAX_FORM_NUMBERS },
      values: new Map(),
      inputs: new Map(),
      taken: [],
      next: new Set(parts.next.flatMap((name) => behindIdentity(name, own))),
      masks: new Set(),
    };
    await setInputs(parts, atoms, widths, trace, fixed);
    await traceBody(trace);
    const unmasked = parts.next.map((name, index) => unmask(formNamed(name, trace), atoms[index], trace.masks));
    const next = unmasked.map(({ form }) => form);
    const cells = matchCells(atoms, next, trace.budget);
    if (cells.length > 0) return finish(cells, atoms, parts, unmasked, trace);
    const isNew = next.map((form, index) => {
      if (form?.width === null || form === null || widths[index] !== null) return false;
      widths[index] = form.width;
      return true;
    });
    if (!isNew.includes(true)) return [];
  }
  return [];
}

/**
 * Whether the body of a node holds products with weights and activations, so that it may step a cell.
 *
 * @param node - A Loop or Scan node.
 */
export function hasCellOperators(node: OnnxNode): boolean {
  const nodes = node.attributes.get('body')?.graph?.nodes ?? [];
  return nodes.some(({ operator }) => GATES.has(operator)) && nodes.some(({ operator }) => PRODUCTS.has(operator));
}

/**
 * The sequences that a Loop or Scan may step through, with their axis of time.
 *
 * @param node - A node.
 * @param scope - The graph it stands in.
 */
export function sequencesOf(node: OnnxNode, scope: Scope): readonly { readonly name: string; readonly axis: number }[] {
  const body = node.attributes.get('body')?.graph;
  if (!body || !hasCellOperators(node)) return [];
  const inner = new Scope(body, scope);
  if (node.operator === 'Scan') {
    return (partsOfScan(node, inner)?.scanned ?? []).map(({ outside, axis }) => ({ name: outside, axis }));
  }
  return body.nodes
    .filter(({ operator }) => operator === 'Gather')
    .map(({ inputs, attributes }) => ({ name: inputs[0] ?? '', axis: attributes.get('axis')?.integer ?? 0 }))
    .filter(({ name }) => name !== '' && scope.find(name) !== null);
}

function partsOfLoop(node: OnnxNode, { graph }: Scope): Parts | null {
  const [step, , ...states] = graph.inputs.map(({ name }) => name);
  if (step === undefined || node.inputs.length !== graph.inputs.length) return null;
  return {
    states,
    next: graph.outputs.slice(1, 1 + states.length),
    initial: node.inputs.slice(2),
    scanned: [],
    step,
    collected: graph.outputs.slice(1 + states.length),
  };
}

function partsOfScan(node: OnnxNode, { graph }: Scope): Parts | null {
  const names = graph.inputs.map(({ name }) => name);
  const scanCount = node.attributes.get('num_scan_inputs')?.integer ?? 0;
  // Operator set 8 has the lengths before the states.
  const isOld = node.inputs.length === names.length + 1;
  const outside = isOld ? node.inputs.slice(1) : node.inputs;
  const count = names.length - scanCount;
  if (scanCount < 1 || count < 0 || outside.length !== names.length) return null;
  const axes = node.attributes.get('scan_input_axes')?.integers ?? [];
  const directions =
    node.attributes.get('scan_input_directions')?.integers ?? node.attributes.get('directions')?.integers ?? [];
  return {
    states: names.slice(0, count),
    next: graph.outputs.slice(0, count),
    initial: outside.slice(0, count),
    scanned: names.slice(count).map((inside, index) => ({
      inside,
      outside: outside[count + index] ?? '',
      axis: isOld ? 1 : (axes[index] ?? 0),
      isReversed: directions[index] === 1,
    })),
    step: null,
    collected: graph.outputs.slice(count),
  };
}

/** A value and what it is the same as, node by node. */
function behindIdentity(start: string, scope: Scope): readonly string[] {
  const names = [start];
  for (let name = start; names.length <= MAX_IDENTITIES; names.push(name)) {
    const source = scope.find(name);
    const isSame = source?.kind === 'node' && source.scope === scope && source.node.operator === 'Identity';
    if (!isSame) break;
    name = source.node.inputs[0] ?? '';
  }
  return names;
}

/** States that never change: what they are is given from outside. Writers pass weights so. */
function fixedStates({ states, next, initial }: Parts, own: Scope): ReadonlyMap<string, string> {
  const fixed = new Map<string, string>();
  for (const [index, state] of states.entries()) {
    const name = behindIdentity(next[index] ?? '', own).at(-1) ?? '';
    const from = initial[index] ?? '';
    if (name === state && from !== '') fixed.set(state, from);
  }
  return fixed;
}

async function setInputs(
  parts: Parts,
  atoms: readonly Atom[],
  widths: readonly (number | null)[],
  trace: Trace,
  fixed: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [index, name] of parts.states.entries()) {
    if (fixed.has(name)) continue;
    const atom = atoms[index];
    const step = await stepOf(parts.next[index] ?? '', name, trace);
    if (step) trace.values.set(name, { kind: 'step', isReversed: step === 'down' });
    else if (atom) {
      trace.values.set(name, {
        kind: 'form',
        form: formOf(atom, widths[index] ?? null),
        rank: rankOf(name, trace.scope),
      });
    }
  }
  for (const { inside, outside, axis, isReversed } of parts.scanned) {
    const atom: Atom = { kind: 'input', name: outside, axis, isReversed };
    const form = formOf(atom, widthOf(inside, trace.scope));
    trace.values.set(inside, { kind: 'form', form, rank: rankOf(inside, trace.scope) });
  }
  if (parts.step !== null) trace.values.set(parts.step, { kind: 'step', isReversed: false });
}

function formNamed(name: string, { values }: Trace): LinearForm | null {
  const value = values.get(name);
  return value?.kind === 'form' ? value.form : null;
}

function widthOf(name: string, { graph }: Scope): number | null {
  return graph.inputs.find((input) => input.name === name)?.shape?.at(-1) ?? null;
}

function rankOf(name: string, { graph }: Scope): number | null {
  const shape = graph.inputs.find((input) => input.name === name)?.shape;
  return shape && shape.length > 0 ? shape.length : null;
}

function finish(
  cells: readonly MatchedCell[],
  states: readonly Atom[],
  parts: Parts,
  next: readonly Unmasked[],
  trace: Trace,
): readonly BodyCell[] {
  const nextOf = (cell: MatchedCell): LinearForm | null => next[cell.hidden]?.form ?? null;
  return cells.map((cell, number): BodyCell => {
    const sources = new Set(cell.x.flat().map((atom) => (atom.kind === 'input' ? atom : null)));
    const [source] = sources;
    const isOutside = sources.size === 1 && source?.kind === 'input';
    const below = cells.findIndex((other) => other !== cell && isFedBy(cell, nextOf(other)));
    const isFedByState = cell.x.flat().some((atom) => states.includes(atom));
    if (isFedByState && below < 0) {
      throw new TempogradError(
        'cell/unsupported',
        `Layer ${trace.layer}: cell ${String(number)} sees the state of another cell`,
      );
    }
    const collected = parts.collected.findIndex((name) => {
      const form = formNamed(name, trace);
      // What is collected at a step that a mask leaves out is the state before, whichever state keeps that.
      return form !== null && states.some((state) => unmask(form, state, trace.masks).form === nextOf(cell));
    });
    return {
      ...cell,
      sequence: isOutside ? { name: source.name, axis: source.axis } : null,
      isReversed: isOutside && source.isReversed,
      below: below < 0 ? null : below,
      mask: next[cell.hidden]?.mask?.name ?? null,
      taken: trace.taken,
      initial: [cell.hidden, cell.cellState].flatMap((state) => (state === null ? [] : [parts.initial[state] ?? ''])),
      outputs: {
        sequence: collected < 0 ? null : parts.states.length + collected,
        hidden: cell.hidden,
        cell: cell.cellState,
      },
    };
  });
}

/** Whether x is the h of another cell, whole. */
function isFedBy({ x }: MatchedCell, hidden: LinearForm | null): boolean {
  return x.length === 1 && hidden !== null && isSumOf(hidden, x[0] ?? []);
}
