/**
 * The one table of commands, from which the menu, the keys and the key sheet are made.
 */

/** Where a command is carried out: by main, or by the window, which gets it as a notice. */
export type CommandTarget = 'main' | 'window';

/** Top-level menus in their order. */
export const MENUS = ['File', 'Run', 'View', 'Help'] as const;

/** One command. */
export interface Command {
  readonly id: string;
  readonly label: string;
  readonly menu: (typeof MENUS)[number];
  readonly target: CommandTarget;
  /** In Electron's spelling; `CmdOrCtrl` is the platform's own key. */
  readonly key?: string;
  /** The key is shown only: the window handles it, because it means other things in a field or a dialog. */
  readonly keyIsWindows?: boolean;
  /** A line is drawn above it in the menu. */
  readonly startsGroup?: boolean;
}

/** Every command. */
export const COMMANDS = [
  { id: 'open-model', label: 'Open Model…', menu: 'File', target: 'main', key: 'CmdOrCtrl+O' },
  { id: 'open-data', label: 'Open Data…', menu: 'File', target: 'main', key: 'CmdOrCtrl+Shift+O' },
  { id: 'open-folder', label: 'Open Folder…', menu: 'File', target: 'main' },
  { id: 'close-model', label: 'Close Model', menu: 'File', target: 'main' },
  { id: 'export-npz', label: 'Export Arrays (NPZ)…', menu: 'File', target: 'window', startsGroup: true },
  { id: 'export-csv', label: 'Export Tables (CSV)…', menu: 'File', target: 'window' },
  { id: 'export-json', label: 'Export Summary (JSON)…', menu: 'File', target: 'window' },
  { id: 'export-report', label: 'Export Report (HTML)…', menu: 'File', target: 'window', key: 'CmdOrCtrl+E' },
  { id: 'run', label: 'Run', menu: 'Run', target: 'window', key: 'CmdOrCtrl+Enter' },
  { id: 'cancel', label: 'Cancel', menu: 'Run', target: 'window', key: 'Escape', keyIsWindows: true },
  { id: 'restart-engine', label: 'Restart Engine', menu: 'Run', target: 'main', startsGroup: true },
  { id: 'view-verdict', label: 'Verdict', menu: 'View', target: 'window', key: 'CmdOrCtrl+1' },
  { id: 'view-flow', label: 'Flow Map', menu: 'View', target: 'window', key: 'CmdOrCtrl+2' },
  { id: 'view-steps', label: 'Per Timestep', menu: 'View', target: 'window', key: 'CmdOrCtrl+3' },
  { id: 'view-states', label: 'States and Gates', menu: 'View', target: 'window', key: 'CmdOrCtrl+4' },
  { id: 'view-weights', label: 'Weights', menu: 'View', target: 'window', key: 'CmdOrCtrl+5' },
  { id: 'theme-system', label: 'System Theme', menu: 'View', target: 'main', startsGroup: true },
  { id: 'theme-light', label: 'Light Theme', menu: 'View', target: 'main' },
  { id: 'theme-dark', label: 'Dark Theme', menu: 'View', target: 'main' },
  { id: 'zoom-in', label: 'Zoom In', menu: 'View', target: 'main', key: 'CmdOrCtrl+Plus', startsGroup: true },
  { id: 'zoom-out', label: 'Zoom Out', menu: 'View', target: 'main', key: 'CmdOrCtrl+-' },
  { id: 'zoom-reset', label: 'Actual Size', menu: 'View', target: 'main', key: 'CmdOrCtrl+0' },
  { id: 'keys', label: 'Keys', menu: 'Help', target: 'window', key: '?', keyIsWindows: true },
  { id: 'about', label: 'About Tempograd', menu: 'Help', target: 'window' },
] as const satisfies readonly Command[];

/** Ids of the commands that main carries out. */
export type MainCommandId = Extract<(typeof COMMANDS)[number], { readonly target: 'main' }>['id'];
