import { describe, expect, it } from 'vitest';
import { cacheDirectory, cacheLayout } from '../../scripts/setup/paths.mjs';

describe('cacheDirectory', () => {
  it('takes TEMPOGRAD_CACHE before everything else', () => {
    expect(cacheDirectory({ TEMPOGRAD_CACHE: '/big/disk', XDG_CACHE_HOME: '/x' }, 'linux', '/home/ada')).toBe(
      '/big/disk',
    );
  });

  it.each([
    ['linux', {}, '/home/ada', '/home/ada/.cache/tempograd'],
    ['linux', { XDG_CACHE_HOME: '/var/ada' }, '/home/ada', '/var/ada/tempograd'],
    ['linux', { XDG_CACHE_HOME: 'not/absolute' }, '/home/ada', '/home/ada/.cache/tempograd'],
    ['darwin', { XDG_CACHE_HOME: '/ignored' }, '/Users/ada', '/Users/ada/Library/Caches/tempograd'],
    [
      'win32',
      { LOCALAPPDATA: 'C:\\Users\\ada\\AppData\\Local' },
      'C:\\Users\\ada',
      'C:\\Users\\ada\\AppData\\Local\\tempograd\\cache',
    ],
    ['win32', {}, 'C:\\Users\\ada', 'C:\\Users\\ada\\AppData\\Local\\tempograd\\cache'],
  ])('on %s with %o', (platform, env, home, expected) => {
    expect(cacheDirectory(env, platform, home)).toBe(expected);
  });
});

describe('cacheLayout', () => {
  it('keeps every name inside the cache folder', () => {
    const layout = cacheLayout('/cache');
    for (const path of Object.values(layout)) expect(path.startsWith('/cache')).toBe(true);
  });
});
