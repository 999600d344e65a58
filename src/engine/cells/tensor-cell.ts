/**
 * What a cell on engine memory can do; the propagation knows cells only through this.
 *
 * Everything is batched: N counts (step, sequence) pairs in any order. A step's operator holds the transposed view of
 * method.md 2.5: with K = [ds_t/dh_{t-1} | ds_t/dx_t], pulled rows R (kept as columns, G = R^T) go through one product
 * K^T G; the columns of an LSTM's Jacobian that belong to c are two diagonals and stand apart as `carry`. So does the
 * projection of h, the same at every step: K has then the rows of m = o psi(c), from which h is projected.
 */
import type { CellKind } from '../../core/model';
import type { DoubleOps, Ops, Value } from '../ops';
import type { CellSizes } from './cell-sizes';

/** The state of B sequences: h `[B, P]`, c `[B, H]`. */
export interface ValueState {
  readonly h: Value;
  /** null for SimpleRNN and GRU. */
  readonly c: Value | null;
}

/** What some forward steps give: h `[n, B, P]`, the others `[n, B, H]`. */
export interface ForwardSteps {
  readonly h: Value;
  readonly c: Value | null;
  /** Gate name (`gateNames`) to values after the activation. */
  readonly gates: Readonly<Record<string, Value>>;
}

/** Where N steps are differentiated: on the states that the forward pass gave. */
export interface StepPoints {
  /** `[N, D]` */
  readonly x: Value;
  /** `[N, P]`, the hidden state before each step. */
  readonly hPrevious: Value;
  /** `[N, H]`, null without a cell state. */
  readonly cPrevious: Value | null;
  /** `[N, H]`, the cell state after each step; null without one. */
  readonly c: Value | null;
}

/** Per-step vectors that the step Jacobians are formed from; each value has N as its first axis. */
export type StepVectors = Readonly<Record<string, Value>>;

/** One cell with its weights in engine memory, in one precision. */
export interface BareCell extends CellSizes {
  readonly kind: CellKind;
  /** Whether `forward` runs all its steps in one kernel. */
  readonly isFused: boolean;
  /** `[H, P]` where the rows of an operator are those of m, then those of c; else null: those of h, then of c. */
  readonly projection: Value | null;
  /**
   * The steps from a state on.
   *
   * @param x - `[n, B, D]`, in the order of computing.
   * @param state - The state before the first step; not disposed here.
   */
  forward(x: Value, state: ValueState): ForwardSteps;
  /** Everything about N steps that does not grow with H^2. */
  vectors(points: StepPoints): StepVectors;
  /** What `operators` and `carry` need of the vectors, laid out for them; new values. */
  operatorVectors(vectors: StepVectors): StepVectors;
  /** The operators of N steps, `[N, operatorRows, operatorColumns]`: ds_t/d[h or s]_{t-1}, then ds_t/dx_t. */
  operators(vectors: StepVectors): Value;
  /** The two diagonals of the c columns, dh_t/dc_{t-1} and dc_t/dc_{t-1}, `[N, H, 2]`; null where there are none. */
  carry(vectors: StepVectors): Value | null;
  /**
   * The state columns of N steps for columns that are pushed, from `vectors`: `[N, 2H, P]`, rows of h (or m) then of c,
   * where the c columns stand apart in `carry`; else the whole `[N, S, S]`.
   */
  stateOperators(vectors: StepVectors): Value;
  /** dh_t/dx_t `[N, P, D]`, then dc_t/dx_t `[N, H, D]` of an LSTM. */
  inputJacobians(vectors: StepVectors): readonly Value[];
  /**
   * One tangent a sequence pushed through one step, `ds_t/ds_{t-1} v`; N = B here.
   *
   * @param vectors - Of one step.
   * @param tangent - `[B, S]`, h then c.
   */
  push(vectors: StepVectors, tangent: Value): Value;
  /**
   * Columns of h (a projected one, P units) pushed through one step of one sequence without forming its operator:
   * `[operatorRows, p]`, rows as in an operator; null where that is not possible or costs more.
   *
   * @param vectors - `operatorVectors`, N = 1.
   * @param columns - `[P, p]`
   */
  pushColumns(vectors: StepVectors, columns: Value): Value | null;
  /** Frees the weights. */
  dispose(): void;
}

/** The step Jacobians of a cell in one of the forms that they can be had in. */
export type StepForm = Omit<BareCell, 'kind' | 'isFused' | 'forward' | keyof CellSizes>;

/** The same cell in float64. */
export interface DoubleCell {
  readonly doubles: DoubleOps;
  readonly cell: BareCell;
}

/** One cell with its weights in engine memory. */
export interface TensorCell extends BareCell {
  /** Its float64 twin, opened when first asked for; disposed with the cell. */
  twin(): DoubleCell;
}

/**
 * `vectors` computed in float64 and rounded once to the engine's precision.
 *
 * @param cell - The cell.
 * @param points - Uploads the points with the operations it is given.
 */
export function preciseVectors(cell: TensorCell, points: (ops: Ops) => StepPoints): StepVectors {
  const { doubles, cell: precise } = cell.twin();
  const vectors = doubles.ops.tidy(() => precise.vectors(points(doubles.ops)));
  const narrowed: Record<string, Value> = {};
  for (const [name, value] of Object.entries(vectors)) narrowed[name] = doubles.narrow(value);
  doubles.ops.dispose(...Object.values(vectors));
  return narrowed;
}
