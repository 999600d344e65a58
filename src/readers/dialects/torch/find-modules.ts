/**
 * The recurrent modules of PyTorch among named tensors: `encoder.lstm.weight_ih_l0`, `cell.weight_hh`.
 *
 * Names give levels and directions, shapes give kind and sizes; nothing is read yet.
 * Source: torch/nn/modules/rnn.py (names and shapes of parameters).
 */
import type { StoredTensor } from '../../stored-tensor';

/** The tensors of one direction of one level. */
export interface TorchCellTensors {
  readonly weightIh: StoredTensor;
  readonly weightHh: StoredTensor;
  readonly biasIh: StoredTensor | null;
  readonly biasHh: StoredTensor | null;
  /** `weight_hr`, of an LSTM with `proj_size`. */
  readonly weightHr: StoredTensor | null;
}

/** One level of a module. */
export interface TorchLevel {
  readonly forward: TorchCellTensors;
  readonly backward: TorchCellTensors | null;
}

/** A module as its tensors tell it. */
export interface TorchModule {
  /** `encoder.lstm`; empty for a module that is the whole model. */
  readonly prefix: string;
  /** A single cell (`nn.LSTMCell`), whose names have no level. */
  readonly isCell: boolean;
  readonly levels: readonly TorchLevel[];
}

/** What was found, and what is left. */
export interface FoundModules {
  readonly modules: readonly TorchModule[];
  readonly rest: readonly StoredTensor[];
}

const PARAMETER = /^(?:(.*)\.)?(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_l(\d{1,3})(_reverse)?)?$/;

type Parameter = 'weight_ih' | 'weight_hh' | 'weight_hr' | 'bias_ih' | 'bias_hh';
type Direction = Map<Parameter, StoredTensor>;

/** The tensors of a module, by level (-1 for a cell) and direction. */
type Levels = Map<number, { readonly forward: Direction; readonly backward: Direction }>;

/**
 * The recurrent modules among tensors, in the order in which they first appear.
 *
 * @param tensors - Named tensors.
 */
export function findTorchModules(tensors: readonly StoredTensor[]): FoundModules {
  const groups = new Map<string, Levels>();
  for (const tensor of tensors) {
    const match = PARAMETER.exec(tensor.name);
    if (!match) continue;
    const [, prefix = '', parameter, level, reverse] = match;
    const levels: Levels = groups.get(prefix) ?? new Map();
    groups.set(prefix, levels);
    const number = level === undefined ? -1 : Number(level);
    const sides = levels.get(number) ?? { forward: new Map(), backward: new Map() };
    levels.set(number, sides);
    sides[reverse === undefined ? 'forward' : 'backward'].set(parameter as Parameter, tensor);
  }
  const modules = [...groups].flatMap(([prefix, levels]) => toModules(prefix, levels));
  const taken = new Set(modules.flatMap(({ levels }) => levels.flatMap(tensorsOfLevel)));
  return { modules, rest: tensors.filter((tensor) => !taken.has(tensor)) };
}

/**
 * The tensors of a level, those of the forward direction first.
 *
 * @param level - The level.
 */
export function tensorsOfLevel({ forward, backward }: TorchLevel): readonly StoredTensor[] {
  return [forward, backward].flatMap((cell) =>
    cell === null
      ? []
      : [cell.weightIh, cell.weightHh, cell.biasIh, cell.biasHh, cell.weightHr].filter((tensor) => tensor !== null),
  );
}

/** Levels count from 0 without a gap; what does not is no module. */
function toModules(prefix: string, levels: Levels): readonly TorchModule[] {
  const modules: TorchModule[] = [];
  const cell = toLevel(levels.get(-1));
  if (cell) modules.push({ prefix, isCell: true, levels: [cell] });
  const stacked: TorchLevel[] = [];
  for (let number = 0; ; number++) {
    const level = toLevel(levels.get(number));
    if (!level) break;
    stacked.push(level);
  }
  if (stacked.length > 0) modules.push({ prefix, isCell: false, levels: stacked });
  return modules;
}

function toLevel(sides: { readonly forward: Direction; readonly backward: Direction } | undefined): TorchLevel | null {
  const forward = sides ? toCell(sides.forward) : null;
  return forward && sides ? { forward, backward: toCell(sides.backward) } : null;
}

function toCell(side: Direction): TorchCellTensors | null {
  const weightIh = side.get('weight_ih');
  const weightHh = side.get('weight_hh');
  if (!weightIh || !weightHh) return null;
  return {
    weightIh,
    weightHh,
    biasIh: side.get('bias_ih') ?? null,
    biasHh: side.get('bias_hh') ?? null,
    weightHr: side.get('weight_hr') ?? null,
  };
}
