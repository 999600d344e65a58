/**
 * Who wrote a Keras file: the version decides what some words mean.
 */
import type { Hdf5File } from '../../containers/hdf5';
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';
import type { KerasWriter } from './context';

/**
 * The writer of a version string, null when there is none.
 *
 * @param version - `2.2.4`, `2.4.0-tf`, `3.15.1`
 */
export function writerOf(version: string | null): KerasWriter | null {
  const major = version === null ? null : /^(\d+)/.exec(version);
  if (!major) return null;
  const number = Number(major[1]);
  return { generation: number <= 1 ? 1 : number === 2 ? 2 : 3, version: /\./.test(version ?? '') ? version : null };
}

/**
 * True where hard_sigmoid gates and a GRU's reset before are the defaults: Keras before 2.3, apart from TensorFlow, and
 * TensorFlow.js.
 *
 * @param writer - The writer.
 */
export function hasOldDefaults({ generation, version, isTfjs }: KerasWriter): boolean {
  const isOld = version !== null && /^2\.[0-2](\.|$)/.test(version) && !version.includes('tf');
  return isTfjs === true || generation === 1 || isOld;
}

/**
 * The writer told from the words that a configuration uses, where no version is stored.
 *
 * @param config - A model's description.
 */
export function writerFromConfig(config: JsonObject): KerasWriter {
  const listed = isArray(field(config, 'config')) ? field(config, 'config') : field(field(config, 'config'), 'layers');
  const layers = isArray(listed) ? listed : [];
  const isNew = layers.some((layer) => isNewLayer(layer));
  const isOldest = layers.some(
    (layer) =>
      field(field(layer, 'config'), 'output_dim') !== undefined && stringField(layer, 'class_name') !== 'Embedding',
  );
  return { generation: isNew ? 3 : isOldest ? 1 : 2, version: null };
}

/** Keras 3 describes its precision by an object and its input by `batch_shape`. */
function isNewLayer(layer: JsonValue): boolean {
  const config = field(layer, 'config');
  return isObject(field(config, 'dtype')) || field(config, 'batch_shape') !== undefined;
}

/**
 * The writer of a `.weights.h5` file, which stores no version: Keras 3 notes the layers' names, tf-keras does not.
 *
 * @param file - The file.
 */
export async function treeWriter(file: Hdf5File): Promise<KerasWriter> {
  const named = (await file.kindOf('/vars')) === 'group' && (await file.attribute('/vars', 'name')) !== null;
  return { generation: named ? 3 : 2, version: null };
}

/**
 * The writer in words.
 *
 * @param writer - The writer.
 */
export function producerOf(writer: KerasWriter): string {
  if (writer.isTfjs === true) return `TensorFlow.js ${writer.version ?? '(version not stored)'}`;
  return writer.version === null
    ? `Keras ${String(writer.generation)} (version not stored)`
    : `Keras ${writer.version}`;
}
