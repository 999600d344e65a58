/**
 * The settings of a running window: read once, written soon after each change, and at the end.
 */
import { nativeTheme } from 'electron';
import { loadSettings, saveSettings } from '../host/settings';
import type { Settings } from '../shared/contract';
import type { Log } from './log';

/** Changes within this time are written together. */
const SAVE_DELAY_MS = 500;

/** Settings in memory with their file behind them. */
export interface SettingsStore {
  /** What went wrong when they were read; null when nothing did. */
  readonly problem: string | null;
  get(): Settings;
  /** Changes some of them, tells the window, writes them soon. */
  update(change: (settings: Settings) => Settings): Settings;
  /** Writes what is not written yet. */
  flush(): void;
}

/**
 * The settings of a file.
 *
 * @param path - Absolute path.
 * @param log - Told when they cannot be written, which costs the change only.
 * @param onChange - Told of every change.
 */
export function openSettings(path: string, log: Log, onChange: (settings: Settings) => void): SettingsStore {
  const loaded = loadSettings(path);
  let current = loaded.settings;
  let timer: NodeJS.Timeout | null = null;
  nativeTheme.themeSource = current.theme;
  if (loaded.problem !== null) log(loaded.problem);

  const flush = (): void => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    try {
      saveSettings(path, current);
    } catch (error) {
      log(`settings were not written: ${String(error)}`);
    }
  };
  return {
    problem: loaded.problem,
    get: () => current,
    update(change) {
      current = change(current);
      nativeTheme.themeSource = current.theme;
      timer ??= setTimeout(flush, SAVE_DELAY_MS);
      onChange(current);
      return current;
    },
    flush,
  };
}
