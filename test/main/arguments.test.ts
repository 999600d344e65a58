import { describe, expect, it } from 'vitest';
import { parseWindowArguments } from '../../src/main/arguments';

const parse = (...words: string[]) => parseWindowArguments(['/bin/electron', ...words], false, '/home/user');

describe('parseWindowArguments', () => {
  it('passes over the app itself and the switches of Chromium', () => {
    expect(parse('--no-sandbox', '--disable-gpu', '--user-data-dir=/p', '/app', 'a.keras', '/b.h5')).toEqual({
      files: ['/home/user/a.keras', '/b.h5'],
      headlessOutput: null,
    });
  });

  it('knows that a packaged app does not name itself', () => {
    expect(parseWindowArguments(['/opt/tempograd', 'a.keras'], true, '/d').files).toEqual(['/d/a.keras']);
  });

  it('reads a headless run', () => {
    expect(parse('/app', '--headless-run', '--out-dir', 'out', 'a.keras')).toEqual({
      files: ['/home/user/a.keras'],
      headlessOutput: '/home/user/out',
    });
    expect(parse('/app', '--headless-run', '--out-dir=/o')).toEqual({ files: [], headlessOutput: '/o' });
    expect(parse('/app', '--headless-run').headlessOutput).toBe('/home/user');
    expect(parse('/app', '--out-dir', 'out').headlessOutput).toBeNull();
  });
});
