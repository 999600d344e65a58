/**
 * The form of the functions that read one class of plain layer.
 */
import type { PlainOperation } from '../../../core/model';
import type { JsonObject } from '../../json';
import type { KerasContext } from './context';
import type { WeightReader } from './weight-reader';

/** What a reader of one class is given. */
export interface PlainSource {
  readonly className: string;
  readonly config: JsonObject;
  /** The layer's name, for messages. */
  readonly layer: string;
  readonly weights: WeightReader;
  /** Part of the layer's variables: `''`, or `layer` inside a wrapper. */
  readonly part: string;
  readonly context: KerasContext;
}

/** Reads one class of layer. */
export type PlainReader = (source: PlainSource) => Promise<PlainOperation>;
