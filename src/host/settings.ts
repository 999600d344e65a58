/**
 * Settings that survive a restart: one JSON file, checked when read, replaced as a whole when written.
 *
 * A broken file is kept beside the new one as `.bad`, defaults are used, and one message says so. Two programs at once:
 * the last writer wins, and neither ever sees half a file.
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { settingsSchema, type Settings } from '../shared/contract';

/** Newest first. */
const MAX_RECENT_FILES = 10;

/** Settings as they were found. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** What went wrong with the file, as a sentence for the user; null when nothing did. */
  readonly problem: string | null;
}

/**
 * The settings of a file, or defaults.
 *
 * @param path - Absolute path; need not exist.
 */
export function loadSettings(path: string): LoadedSettings {
  const defaults = settingsSchema.parse({});
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { settings: defaults, problem: null };
    return {
      settings: defaults,
      problem: `The settings ${path} cannot be read (${String(cause)}); defaults are used.`,
    };
  }
  try {
    return { settings: settingsSchema.parse(JSON.parse(text)), problem: null };
  } catch {
    return { settings: defaults, problem: putAside(path) };
  }
}

function putAside(path: string): string {
  try {
    renameSync(path, `${path}.bad`);
    return `The settings were damaged; they are kept as ${path}.bad, and defaults are used.`;
  } catch (cause) {
    return `The settings ${path} are damaged and cannot be put aside (${String(cause)}); defaults are used.`;
  }
}

/**
 * Writes settings: the file is afterwards the old or the new one, never half.
 *
 * @param path - Absolute path; its folder is made.
 * @param settings - What to write.
 * @throws Error of the file system when it cannot be written; the old file is then intact.
 */
export function saveSettings(path: string, settings: Settings): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomic.sync(path, `${JSON.stringify(settings, null, 2)}\n`);
}

/**
 * Settings with a file put first among the recent ones.
 *
 * @param settings - Settings before.
 * @param path - The file.
 */
export function withRecentFile(settings: Settings, path: string): Settings {
  const others = settings.recentFiles.filter((other) => other !== path);
  return { ...settings, recentFiles: [path, ...others].slice(0, MAX_RECENT_FILES) };
}
