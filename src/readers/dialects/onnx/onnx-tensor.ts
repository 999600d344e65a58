/** A tensor of an ONNX file as it lies there. */
import type { ByteSource } from '../../byte-source';
import type { WireField } from '../../containers/protobuf';

/** Called for each entry of a list of the file before it is kept; throws where there are too many. */
export type CountEntry = () => void;

/** A tensor of the file, unread. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dataType: number;
  readonly raw: ByteSource | null;
  /** Fields of float_data, int32_data .. by their numbers, in the order of the file. */
  readonly typed: readonly WireField[];
  /** location, offset, length of external data; null for data in the file. */
  readonly external: ReadonlyMap<string, string> | null;
  /** Where most numbers are zero: the others and their places; null for a tensor that is stored whole. */
  readonly sparse: { readonly values: OnnxTensor; readonly indices: OnnxTensor } | null;
}
