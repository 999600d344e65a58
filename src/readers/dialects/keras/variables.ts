/**
 * Where the variables of layers are found, whatever the file's layout; numbers are read when they are taken.
 */
import type { StoredTensor } from '../../stored-tensor';

/** How a layer is called in its model. */
export interface LayerAddress {
  readonly name: string;
  readonly className: string;
  /** Number of earlier layers of the same class in the same model. */
  readonly ordinal: number;
}

/** The variables of one layer. */
export interface LayerVariables {
  /** Where in the file, for display. */
  readonly path: string;
  /**
   * The next variables of a part of the layer, in Keras's order; fewer when the file has fewer.
   *
   * @param part - `''` for the layer itself, `cell`, `forward_layer/cell` ..; layouts without parts go by order.
   * @param names - Keras's names of the variables wanted.
   */
  take(part: string, names: readonly string[]): Promise<readonly StoredTensor[]>;
  /** All variables, for layers that are only listed. */
  all(): Promise<readonly StoredTensor[]>;
  /**
   * The shape of a variable, in layouts where the description may be that of another save, so that the variables are
   * believed and not it; null when there is none.
   */
  storedShape?(part: string, name: string): readonly number[] | null;
}

/** The variables of the layers of one model. */
export interface ModelVariables {
  layer(address: LayerAddress): Promise<LayerVariables>;
  /** Those of a model that stands as a layer in this one. */
  inner(address: LayerAddress): Promise<ModelVariables>;
}

/**
 * Variables of a layer taken in order, whatever the part is called.
 *
 * @param path - Where they are, for display.
 * @param variables - The variables, in Keras's order.
 */
export function takenInOrder(path: string, variables: readonly StoredTensor[]): LayerVariables {
  let next = 0;
  return {
    path,
    take: (_part, names) => {
      const taken = variables.slice(next, next + names.length);
      next += names.length;
      return Promise.resolve(taken);
    },
    all: () => Promise.resolve(variables),
  };
}

/**
 * Variables of a layer that no name tells apart: for each wanted one the first left of that name, which is then gone.
 *
 * @param path - Where they are, for display.
 * @param left - What is left, shared by all such layers.
 * @param nameOf - The variable's own name in its full one.
 */
export function takenByName(path: string, left: StoredTensor[], nameOf: (fullName: string) => string): LayerVariables {
  return {
    path,
    take: (_part, names) => {
      const taken: StoredTensor[] = [];
      for (const name of names) {
        const index = left.findIndex((variable) => nameOf(variable.name) === name);
        if (index < 0) break;
        taken.push(...left.splice(index, 1));
      }
      return Promise.resolve(taken);
    },
    all: () => Promise.resolve([]),
  };
}
