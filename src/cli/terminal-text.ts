/**
 * Text of strangers (layer names, file names) made harmless for a terminal and for JSON.
 *
 * A terminal obeys control characters, C1 ones and marks of writing direction too; none of them reaches it from a file.
 */

/** Control characters but the line feed, marks of writing direction, and line separators. */
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** What stands for each of them. */
const REPLACEMENT = '\ufffd';

/**
 * Text of several lines without anything that a terminal would obey.
 *
 * @param text - Any text.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, REPLACEMENT);
}

/**
 * The same on one line.
 *
 * @param text - Any text.
 */
export function oneLine(text: string): string {
  return printable(text.replace(/\r\n|\n/g, ' '));
}

/**
 * A value as JSON whose every character can be shown; what reads it gets the original text.
 *
 * @param value - Plain data; numbers that are not finite become null.
 * @param indent - Spaces a level; 0 for one line.
 */
export function jsonText(value: unknown, indent = 2): string {
  // Unpaired halves of characters and C0 are escaped by JSON itself.
  return JSON.stringify(value, null, indent).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Rows as aligned columns, each cell on one line.
 *
 * @param rows - At least one row; all of the same length.
 */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(oneLine));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => widthOf(row[column]!))));
  return cells.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column]! - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  );
}

/** Cells of a terminal that a text takes: none for combining marks, two for East Asian characters and pictures. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mn}|\p{Me}|\u200b|\u200d|\ufe0f/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
