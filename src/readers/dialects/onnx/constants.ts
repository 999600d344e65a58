/**
 * The constants of a graph: initializers, Constant nodes, and what can be computed from them.
 */
import type { FormatOptions } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import type { Scope } from './scope';
import { storeOnnxTensor } from './tensors';

/** Resolves values that do not depend on the model's inputs. */
export class Constants {
  readonly #options: FormatOptions;

  /**
   * @param options - Caps, and how files beside the model are opened.
   */
  constructor(options: FormatOptions) {
    this.#options = options;
  }

  /**
   * A value as a stored tensor; null when it depends on an input, or on what is not computed here.
   *
   * @param name - The value.
   * @param scope - Where it is asked for.
   */
  find(name: string, scope: Scope): Promise<StoredTensor | null> {
    const source = scope.find(name);
    if (source?.kind !== 'initializer') return Promise.resolve(null);
    return Promise.resolve(storeOnnxTensor(source.tensor, name, this.#options));
  }
}
