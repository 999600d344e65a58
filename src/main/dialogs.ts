/**
 * The native file dialogs. The end-to-end tests answer them by replacing the functions of Electron's `dialog`, since
 * nothing can press their buttons; the program itself knows of no such thing.
 */
import { basename, extname } from 'node:path';
import { dialog, type BrowserWindow, type FileFilter } from 'electron';
import type { RequestInput } from '../shared/contract';

type Purpose = RequestInput<'openDialog'>['purpose'] | RequestInput<'chooseFile'>['purpose'];
type ExportFormat = RequestInput<'exportRun'>['format'] | RequestInput<'exportPicture'>['type'];

const OPEN_TITLES: Readonly<Record<Purpose, string>> = {
  model: 'Open a model',
  data: 'Open input data',
  folder: 'Open a folder with a model',
  mask: 'Choose a mask, [B, T]',
  'initial-state': 'Choose initial states h0 and c0',
};

const OPEN_FILTERS: Readonly<Record<Purpose, FileFilter[]>> = {
  model: [
    {
      name: 'Models',
      extensions: ['keras', 'h5', 'hdf5', 'pt', 'pth', 'bin', 'safetensors', 'onnx', 'json', 'pb', 'index', 'npz'],
    },
    { name: 'All files', extensions: ['*'] },
  ],
  data: [
    { name: 'Arrays and tables', extensions: ['npy', 'npz', 'csv', 'tsv', 'txt'] },
    { name: 'All files', extensions: ['*'] },
  ],
  folder: [],
  mask: [
    { name: 'Arrays and tables', extensions: ['npy', 'npz', 'csv'] },
    { name: 'All files', extensions: ['*'] },
  ],
  'initial-state': [{ name: 'NumPy arrays', extensions: ['npz'] }],
};

const SAVE_FILTERS: Readonly<Record<Exclude<ExportFormat, 'csv'>, FileFilter>> = {
  npz: { name: 'NumPy arrays', extensions: ['npz'] },
  json: { name: 'Summary', extensions: ['json'] },
  report: { name: 'Report', extensions: ['html'] },
  png: { name: 'PNG picture', extensions: ['png'] },
  svg: { name: 'SVG picture', extensions: ['svg'] },
};

/**
 * The path that the user chooses to open, or null.
 *
 * @param window - The window that the dialog belongs to.
 * @param purpose - What is to be opened.
 */
export async function askForOpening(window: BrowserWindow, purpose: Purpose): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: OPEN_TITLES[purpose],
    filters: OPEN_FILTERS[purpose],
    properties: [purpose === 'folder' ? 'openDirectory' : 'openFile'],
  });
  return canceled ? null : (filePaths[0] ?? null);
}

/**
 * The path that the user chooses to write to, or null; a folder for `csv`.
 *
 * @param window - The window that the dialog belongs to.
 * @param stem - Proposed name without its extension.
 * @param format - What will be written.
 */
export async function askForSaving(window: BrowserWindow, stem: string, format: ExportFormat): Promise<string | null> {
  if (format === 'csv') {
    const { canceled, filePaths } = await dialog.showOpenDialog(window, {
      title: 'Folder for the tables',
      properties: ['openDirectory', 'createDirectory'],
    });
    return canceled ? null : (filePaths[0] ?? null);
  }
  const filter = SAVE_FILTERS[format];
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    defaultPath: `${safeStem(stem)}.${filter.extensions[0]}`,
    filters: [filter],
  });
  return canceled || filePath === '' ? null : filePath;
}

/**
 * A file name without extension, safe on every system.
 *
 * @param name - A path or any text.
 */
export function safeStem(name: string): string {
  const stem = basename(name, extname(name))
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 100);
  return stem.replace(/^\.+/, '') || 'tempograd';
}
