/**
 * `tempograd inspect MODEL`: what the file holds, as a table or as JSON.
 */
import { formatBytes } from '../charts/number-format';
import type { LayerDescription, ModelDescription } from '../core/summary';
import { NO_READER_OPTIONS } from '../host/reader-messages';
import type { Output } from './exit-codes';
import { openModelFile } from './read-files';

/**
 * Prints the layers of a model.
 *
 * @param path - A file or folder.
 * @param isJson - JSON instead of a table.
 * @param output - Where to print.
 * @throws TempogradError of the reader family.
 */
export async function inspectCommand(path: string, isJson: boolean, output: Output): Promise<void> {
  const { description, bytes } = await openModelFile(path, NO_READER_OPTIONS, true);
  if (!description) throw new Error('the reader process gave no description');
  if (isJson) output.out(`${JSON.stringify(description, null, 2)}\n`);
  else output.out(describeAsText(description, path, bytes));
}

function describeAsText(description: ModelDescription, path: string, bytes: number): string {
  const rows = description.layers.map((layer, index) => [
    String(index),
    layer.name,
    layer.class,
    layer.kind ? `${layer.kind} ${layer.units} <- ${layer.inputDim}` : '',
    layer.direction ?? '',
    remark(layer),
  ]);
  const head = ['#', 'layer', 'class', 'cell', 'direction', ''];
  const lines = [
    `${path}  ${description.format}, ${description.producer}, ${formatBytes(bytes)}`,
    '',
    ...columns([head, ...rows]),
  ];
  if (!description.layers.some((layer) => layer.kind !== null && layer.supported))
    lines.push('', 'No recurrent layer that can be analysed.');
  for (const { what, assumed, why, change } of description.assumptions) {
    lines.push('', `assumed: ${what}: ${assumed} (${why}${change ? `; ${change} changes it` : ''})`);
  }
  for (const { code, message, remedy } of description.warnings)
    lines.push('', `warning: ${code}: ${message}`, `  ${remedy}`);
  return `${lines.join('\n')}\n`;
}

function remark(layer: LayerDescription): string {
  if (!layer.supported) return layer.reason ?? 'not supported';
  if (layer.kind !== null && layer.blockedBy !== null)
    return `own input only (--at-layer): ${layer.blockedBy} cannot be run`;
  return '';
}

/** Rows as aligned columns. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
