/**
 * The one window: hardened, shown when it has something to show, and back where it was.
 */
import { BrowserWindow, app, nativeTheme, screen } from 'electron';
import type { Settings } from '../shared/contract';
import { APP_ORIGIN } from './protocol';

type Place = NonNullable<Settings['window']>;

const DEFAULT_SIZE = { width: 1440, height: 900 };
const MIN_SIZE = { minWidth: 880, minHeight: 560 };

/** Longest wait for the first paint of a page that has loaded. */
const PAINT_LIMIT_MS = 500;

/** Background before the first paint, the same as the page's own. */
const BACKGROUND = { light: '#ffffff', dark: '#16181c' };

/** What a window is made from. */
export interface WindowOptions {
  readonly preload: string;
  /** Absolute path of the icon. */
  readonly icon: string;
  readonly settings: Settings;
}

/**
 * A hidden window that shows itself at its first paint.
 *
 * @param options - Preload and settings.
 */
export function createWindow(options: WindowOptions): BrowserWindow {
  const place = visiblePlace(options.settings.window);
  const window = new BrowserWindow({
    ...DEFAULT_SIZE,
    ...MIN_SIZE,
    ...(place && { x: place.x, y: place.y, width: place.width, height: place.height }),
    show: false,
    title: 'Tempograd',
    icon: options.icon,
    backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
    webPreferences: {
      preload: options.preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      spellcheck: false,
      devTools: !app.isPackaged,
    },
  });
  whenPainted(window, () => {
    if (place?.maximized) window.maximize();
    window.show();
  });
  window.webContents.on('did-finish-load', () => window.webContents.setZoomLevel(options.settings.zoom));
  return window;
}

/**
 * Calls back once when the page can be shown; after the page has loaded, Chromium's own notice of the first paint is
 * waited for only so long, because under a virtual display it may never come.
 *
 * @param window - The window.
 * @param callback - Called once.
 */
export function whenPainted(window: BrowserWindow, callback: () => void): void {
  let isCalled = false;
  const once = (): void => {
    if (isCalled || window.isDestroyed()) return;
    isCalled = true;
    callback();
  };
  window.once('ready-to-show', once);
  window.webContents.once('did-finish-load', () => setTimeout(once, PAINT_LIMIT_MS));
}

/**
 * Loads the page; separate from creating it so that everything is connected before.
 *
 * @param window - The window.
 */
export async function loadPage(window: BrowserWindow): Promise<void> {
  await window.loadURL(`${APP_ORIGIN}/index.html`);
}

/**
 * Where a window is, to be remembered.
 *
 * @param window - The window.
 */
export function placeOf(window: BrowserWindow): Place {
  return { ...window.getNormalBounds(), maximized: window.isMaximized() };
}

/** The remembered place, unless the screen it was on is gone. */
function visiblePlace(place: Settings['window']): Place | null {
  if (place === null) return null;
  const { workArea } = screen.getDisplayMatching(place);
  const overlapX = Math.min(place.x + place.width, workArea.x + workArea.width) - Math.max(place.x, workArea.x);
  const overlapY = Math.min(place.y + place.height, workArea.y + workArea.height) - Math.max(place.y, workArea.y);
  return overlapX >= MIN_SIZE.minWidth / 2 && overlapY >= MIN_SIZE.minHeight / 2 ? place : null;
}
