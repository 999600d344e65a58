/**
 * The tensors of one layer: taken in order, held against the shapes that the configuration asks for, and listed.
 */
import { TempogradError } from '../../../core/errors';
import type { Direction } from '../../../core/jacobian';
import type { WeightInfo, WeightRole } from '../../../core/model';
import type { RealTensor } from '../../../core/tensor';
import { takeTensor } from '../../take-tensor';
import type { KerasContext } from './context';
import type { LayerVariables } from './variables';
import type { StoredTensor } from '../../stored-tensor';

/** A variable that a layer must have. */
export interface WeightSlot {
  /** Keras's own name. */
  readonly name: string;
  readonly role: WeightRole;
  /** null takes any size but 0. */
  readonly shape: readonly (number | null)[] | null;
}

/**
 * A variable that a layer must have.
 *
 * @param name - Keras's own name.
 * @param role - Its role.
 * @param shape - The shape wanted; null sizes take any but 0, null takes any shape.
 */
export function slot(name: string, role: WeightRole, shape: readonly (number | null)[] | null): WeightSlot {
  return { name, role, shape };
}

/** Takes the variables of one layer. */
export class WeightReader {
  readonly infos: WeightInfo[] = [];
  readonly #layer: string;
  readonly #variables: LayerVariables;
  readonly #context: KerasContext;

  /**
   * @param layer - The layer's name, for messages.
   * @param variables - Its variables.
   * @param context - The reading; warnings go there.
   */
  constructor(layer: string, variables: LayerVariables, context: KerasContext) {
    this.#layer = layer;
    this.#variables = variables;
    this.#context = context;
  }

  /**
   * The tensors of a part of the layer, one per slot.
   *
   * @param part - `''`, `cell`, `forward_layer/cell` ..
   * @param slots - What is wanted, in Keras's order.
   * @param direction - Of a Bidirectional layer, else null.
   * @throws TempogradError `reader/corrupt` when one is missing, `cell/shape-mismatch`, and what reading throws.
   */
  async take(part: string, slots: readonly WeightSlot[], direction: Direction | null): Promise<readonly RealTensor[]> {
    const variables = await this.#variables.take(
      part,
      slots.map(({ name }) => name),
    );
    const tensors: RealTensor[] = [];
    for (const [index, wanted] of slots.entries()) {
      const variable = variables[index];
      if (!variable) throw this.#missing(wanted, variables.length, slots.length);
      this.infos.push(describe(variable, wanted.role, direction));
      this.#checkShape(variable, wanted);
      tensors.push(await takeTensor(variable, this.#layer, this.#context));
    }
    return tensors;
  }

  /**
   * The size of an axis as the variables have it where they are believed, else as the configuration says it.
   *
   * @param part - Part of the layer.
   * @param name - The variable.
   * @param axis - The axis; negative ones count from the end.
   * @param described - What the configuration says.
   */
  believedSize(part: string, name: string, axis: number, described: number): number {
    const stored = this.#variables.storedShape?.(part, name)?.at(axis);
    if (stored === undefined || stored === 0 || stored === described) return described;
    this.#context.warnings.push({
      code: 'cell/shape-mismatch',
      message: `Layer ${this.#layer}: the metadata says ${String(described)} units, the variables have ${String(stored)}, which are taken`,
      remedy: 'The metadata is that of another save; settings such as activations may be too.',
    });
    return stored;
  }

  /** Lists all variables without reading their numbers: for a layer that cannot be run. */
  async listAll(): Promise<readonly StoredTensor[]> {
    const variables = await this.#variables.all();
    this.infos.splice(
      0,
      this.infos.length,
      ...variables.map((variable) => describe(variable, roleByName(variable.name), null)),
    );
    return variables;
  }

  #missing(wanted: WeightSlot, found: number, expected: number): TempogradError {
    return new TempogradError(
      'reader/corrupt',
      `Layer ${this.#layer}: tensor ${wanted.name} is missing at ${this.#variables.path}; ${String(found)} of ${String(expected)} tensors are there`,
      { details: { layer: this.#layer, tensor: wanted.name, path: this.#variables.path } },
    );
  }

  #checkShape(variable: StoredTensor, { name, shape }: WeightSlot): void {
    if (shape === null) return;
    const fits =
      shape.length === variable.shape.length &&
      shape.every((size, axis) => size === variable.shape[axis] || (size === null && variable.shape[axis]! > 0));
    if (fits) return;
    const expected = `[${shape.map((size) => size ?? '*').join(', ')}]`;
    throw new TempogradError(
      'cell/shape-mismatch',
      `Layer ${this.#layer}: tensor ${name} (${variable.name}) has shape [${variable.shape.join(', ')}], expected ${expected}`,
      { details: { layer: this.#layer, tensor: variable.name, expected: [...shape], actual: [...variable.shape] } },
    );
  }
}

function describe(variable: StoredTensor, role: WeightRole, direction: Direction | null): WeightInfo {
  return { role, name: variable.name, shape: [...variable.shape], dtype: variable.dtype, direction };
}

function roleByName(name: string): WeightRole {
  if (/recurrent_kernel/.test(name)) return 'recurrent_kernel';
  if (/kernel/.test(name)) return 'kernel';
  return /bias/.test(name) ? 'bias' : 'other';
}
