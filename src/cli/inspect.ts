/**
 * `tempograd inspect MODEL`: what the file holds, as a table or as JSON.
 */
import { formatBytes, formatNumber } from '../charts/number-format';
import { projectionText, type GateStatistics, type LayerDescription, type ModelDescription } from '../core/summary';
import { NO_READER_OPTIONS, type ReaderOptions } from '../host/reader-messages';
import type { Output } from './exit-codes';
import { describeModelFile } from './read-files';
import { columns, jsonText, oneLine } from './terminal-text';

/**
 * Prints the layers of a model.
 *
 * @param path - A file or folder.
 * @param limits - Caps of the readers that the user set.
 * @param isJson - JSON instead of a table.
 * @param output - Where to print.
 * @throws TempogradError of the reader family.
 */
export async function inspectCommand(
  path: string,
  limits: ReaderOptions['limits'],
  isJson: boolean,
  output: Output,
): Promise<void> {
  const { description, bytes } = await describeModelFile(path, { ...NO_READER_OPTIONS, limits });
  if (isJson) output.out(`${jsonText(description)}\n`);
  else output.out(describeAsText(description, path, bytes));
}

function describeAsText(description: ModelDescription, path: string, bytes: number): string {
  const { layers } = description;
  const rows = layers.map((layer, index) => [
    String(index),
    layer.name,
    layer.class,
    cellText(layer),
    layer.direction ?? '',
    remark(layer),
  ]);
  const size = bytes > 0 ? `, ${formatBytes(bytes)}` : '';
  const lines = [
    oneLine(`${path}  ${description.format}, ${description.producer}${size}`),
    '',
    ...columns([['#', 'layer', 'class', 'cell', 'direction', ''], ...rows]),
  ];
  const recurrent = layers.filter((layer) => layer.kind !== null && layer.supported);
  if (recurrent.length === 0) lines.push('', 'No recurrent layer that can be analysed.');
  else lines.push('', ...weightTable(recurrent));
  for (const { what, assumed, why, change } of description.assumptions) {
    lines.push('', oneLine(`assumed: ${what}: ${assumed} (${why}${change ? `; ${change} changes it` : ''})`));
  }
  for (const { code, message, remedy } of description.warnings)
    lines.push('', oneLine(`warning: ${code}: ${message}`), `  ${oneLine(remedy)}`);
  return `${lines.join('\n')}\n`;
}

/** `LSTM 4 <- 3`; with both cells where a Bidirectional layer has two of different kinds or sizes. */
function cellText(layer: LayerDescription): string {
  const { kind, units, inputDim, backward } = layer;
  if (kind === null) return '';
  const forward = `${kind} ${units} <- ${inputDim}${projectionText(layer)}`;
  return backward ? `${forward}; backward ${backward.kind} ${backward.units}${projectionText(backward)}` : forward;
}

/** One row per tensor of the recurrent layers: its place, its range, and the gain of each gate. */
function weightTable(layers: readonly LayerDescription[]): string[] {
  const rows = layers.flatMap(({ name, weights }) =>
    weights.map(({ name: tensor, role, shape, dtype, gates }) => {
      const all = Object.entries(gates ?? {});
      const norms = all.filter(([, { spectralNorm }]) => spectralNorm !== null);
      return [
        name,
        tensor,
        role,
        `[${shape.join(', ')}]`,
        dtype,
        formatNumber(extreme(all, 'min')),
        formatNumber(extreme(all, 'max')),
        norms.map(([gate, { spectralNorm }]) => `${gate} ${formatNumber(spectralNorm)}`).join('  '),
      ];
    }),
  );
  return columns([['layer', 'tensor', 'role', 'shape', 'type', 'min', 'max', 'spectral norm'], ...rows]);
}

/** The least minimum or the largest maximum of a tensor's gates; null where one of them has none. */
function extreme(gates: readonly [string, GateStatistics][], which: 'min' | 'max'): number | null {
  const values = gates.map(([, statistics]) => statistics[which]);
  if (values.length === 0 || values.includes(null)) return null;
  return which === 'min' ? Math.min(...(values as number[])) : Math.max(...(values as number[]));
}

function remark(layer: LayerDescription): string {
  if (!layer.supported) return layer.reason ?? 'not supported';
  if (layer.kind !== null && layer.blockedBy !== null)
    return `own input only (--at-layer): ${layer.blockedBy} cannot be run`;
  return '';
}
