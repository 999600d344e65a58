/** A tensor of an ONNX file as it lies there. */
import type { ByteSource } from '../../byte-source';
import type { WireField } from '../../containers/protobuf';

/** Told of what is about to be kept of a file; throws where it is too much. */
export interface OnnxCount {
  /** An entry of a list of the file, of so many bytes in memory. */
  entry(bytes: number): void;
  /** An object, of so many bytes in memory. */
  object(bytes: number): void;
}

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
