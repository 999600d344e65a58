import { describe, expect, it, vi } from 'vitest';
import { TempogradError } from '../../src/core/errors';
import type { GateOptions, RequestHandlers, Sender } from '../../src/main/ipc';

vi.mock('electron', () => ({ ipcMain: {}, app: { isPackaged: false }, protocol: {} }));

const { answerRequest } = await import('../../src/main/ipc');

const OWN = 7;

function sender(change: { url?: string; parent?: unknown; id?: number; frame?: null } = {}): Sender {
  const { url = 'app://bundle/index.html', parent = null, id = OWN } = change;
  const senderFrame = change.frame === null ? null : { url, parent };
  return { senderFrame, sender: { id } } as unknown as Sender;
}

function gate(handlers: Partial<RequestHandlers>): GateOptions & { lines: string[] } {
  const lines: string[] = [];
  return {
    handlers: handlers as RequestHandlers,
    isKnownWindow: (id) => id === OWN,
    log: (line) => lines.push(line),
    lines,
  };
}

describe('answerRequest', () => {
  it('gives the checked argument to the handler and its value back', async () => {
    const cancelRun = vi.fn(() => Promise.resolve(null));
    const reply = await answerRequest(gate({ cancelRun }), sender(), 'cancelRun', { runId: 3, extra: 'dropped' });
    expect(reply).toEqual({ ok: true, value: null });
    expect(cancelRun).toHaveBeenCalledWith({ runId: 3 });
  });

  it.each([
    ['a frame inside the page', sender({ parent: {} })],
    ['another page', sender({ url: 'https://example.org/' })],
    ['a look-alike of the page', sender({ url: 'app://bundle.evil/index.html' })],
    ['a file', sender({ url: 'file:///index.html' })],
    ['an unknown window', sender({ id: 99 })],
    ['a frame that is gone', sender({ frame: null })],
  ])('refuses %s before anything else happens', async (_who, from) => {
    const listSamples = vi.fn(() => Promise.resolve([]));
    const options = gate({ listSamples });
    const reply = await answerRequest(options, from, 'listSamples', {});
    expect(reply).toMatchObject({ ok: false, error: { code: 'usage/bad-option' } });
    expect(listSamples).not.toHaveBeenCalled();
    expect(options.lines).toHaveLength(1);
  });

  it.each(['nothing', '__proto__', 'constructor', 'toString', '', 7, null, undefined, {}, ['listSamples']])(
    'refuses the name %j',
    async (name) => {
      expect(await answerRequest(gate({}), sender(), name, {})).toMatchObject({
        ok: false,
        error: { code: 'usage/bad-option' },
      });
    },
  );

  it.each([
    ['cancelRun', undefined],
    ['cancelRun', null],
    ['cancelRun', { runId: '1' }],
    ['cancelRun', { runId: 1.5 }],
    ['cancelRun', { runId: NaN }],
    ['openPaths', { paths: [] }],
    ['openPaths', { paths: 'x' }],
    ['openPaths', { paths: [''] }],
    ['openPaths', { paths: Array(1001).fill('x') }],
    ['openDialog', { purpose: 'format-disk' }],
    ['setTheme', { theme: 'purple' }],
    ['startRun', { request: { layer: 1 } }],
    ['weightMatrix', { layer: 'a', direction: 'sideways', role: 'kernel', gate: 'i' }],
    ['exportPicture', { name: 'x', type: 'exe', bytes: new Uint8Array() }],
    ['exportPicture', { name: 'x', type: 'png', bytes: [1, 2] }],
  ])('refuses %s with %j', async (name, input) => {
    const reply = await answerRequest(gate({}), sender(), name, input);
    expect(reply).toMatchObject({ ok: false, error: { code: 'usage/bad-option' } });
  });

  it('turns an expected failure into its record, and logs nothing', async () => {
    const error = new TempogradError('reader/truncated', 'too short', { details: { size: 3 } });
    const options = gate({ openPaths: () => Promise.reject(error) });
    const reply = await answerRequest(options, sender(), 'openPaths', { paths: ['/x'] });
    expect(reply).toEqual({
      ok: false,
      error: { code: 'reader/truncated', message: 'too short', remedy: error.remedy, details: { size: 3 } },
    });
    expect(options.lines).toEqual([]);
  });

  it('turns a bug into a report and logs it', async () => {
    const options = gate({ about: () => Promise.reject(new Error('broken')) });
    const reply = await answerRequest(options, sender(), 'about', {});
    expect(reply).toMatchObject({ ok: false, error: { code: 'bug', message: 'Internal fault: broken' } });
    expect(options.lines[0]).toContain('fault in about: Error: broken');
  });
});
