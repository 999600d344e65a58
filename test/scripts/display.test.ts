import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openDisplay } from '../../scripts/run/display.mjs';
import { isOnPath } from '../../scripts/setup/system-libraries.mjs';

/** Runs `work` as on a machine without a display. */
async function withoutDisplay<T>(work: () => Promise<T>): Promise<T> {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  delete process.env.DISPLAY;
  delete process.env.WAYLAND_DISPLAY;
  try {
    return await work();
  } finally {
    if (DISPLAY !== undefined) process.env.DISPLAY = DISPLAY;
    if (WAYLAND_DISPLAY !== undefined) process.env.WAYLAND_DISPLAY = WAYLAND_DISPLAY;
  }
}

/** Whether something listens on a display's socket. */
const isServed = (display: string): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(`/tmp/.X11-unix/X${display.slice(1)}`);
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });

describe.runIf(process.platform === 'linux' && isOnPath('Xvfb'))('openDisplay', () => {
  it('starts virtual displays side by side and ends each', async () => {
    const [one, two] = await withoutDisplay(async () => [await openDisplay(), await openDisplay()]);
    expect(one!.virtual && two!.virtual).toBe(true);
    expect(one!.env.DISPLAY).not.toBe(two!.env.DISPLAY);
    const displays = [one!.env.DISPLAY!, two!.env.DISPLAY!];
    expect(await Promise.all(displays.map(isServed))).toEqual([true, true]);
    one!.close();
    two!.close();
    await expect.poll(() => Promise.all(displays.map(isServed)), { timeout: 10_000 }).toEqual([false, false]);
  });
});
