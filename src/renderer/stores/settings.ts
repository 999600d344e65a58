/** Theme and recent files; kept by main, followed here. */
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import type { ThemeName } from '../../charts/palette';
import type { Settings } from '../../shared/contract';
import { request } from '../api';

const ORDER: readonly Settings['theme'][] = ['system', 'light', 'dark'];

/** The settings that the window shows. */
export const useSettings = defineStore('settings', () => {
  const theme = ref<Settings['theme']>('system');
  const recentFiles = ref<readonly string[]>([]);
  const systemIsDark = ref(false);

  const shownTheme = computed<ThemeName>(() => {
    if (theme.value !== 'system') return theme.value;
    return systemIsDark.value ? 'dark' : 'light';
  });

  /** Takes settings as main has them. */
  function accept(settings: Settings): void {
    theme.value = settings.theme;
    recentFiles.value = settings.recentFiles;
  }

  /** Asks for the settings and follows the system's look. */
  async function load(): Promise<void> {
    const query = window.matchMedia('(prefers-color-scheme: dark)');
    systemIsDark.value = query.matches;
    query.addEventListener('change', (event) => {
      systemIsDark.value = event.matches;
    });
    const reply = await request('getSettings', {});
    if (reply.ok) accept(reply.value);
  }

  /** Asks again, because opening a file changes the recent ones. */
  async function refresh(): Promise<void> {
    const reply = await request('getSettings', {});
    if (reply.ok) accept(reply.value);
  }

  /** Switches the look; takes effect at once. */
  async function setTheme(next: Settings['theme']): Promise<void> {
    theme.value = next;
    const reply = await request('setTheme', { theme: next });
    if (reply.ok) accept(reply.value);
  }

  /** The next look in the order system, light, dark. */
  function cycleTheme(): Promise<void> {
    return setTheme(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length]!);
  }

  return { theme, recentFiles, shownTheme, accept, load, refresh, setTheme, cycleTheme };
});
