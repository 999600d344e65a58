import { describe, expect, it } from 'vitest';
import { chromiumSwitches } from '../../scripts/run/electron.mjs';
import { missingPackages } from '../../scripts/setup/npm-packages.mjs';
import { failureReason } from '../../scripts/setup/run-command.mjs';
import { mergeState, recentFailure } from '../../scripts/setup/state.mjs';
import { outcomeLine } from '../../scripts/setup/steps.mjs';
import { missingSystemPackages } from '../../scripts/setup/system-libraries.mjs';

describe('missingPackages', () => {
  const wanted = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  };

  it('ignores the root and absent packages of other platforms', () => {
    expect(missingPackages(wanted, { 'node_modules/a': { version: '1.0.0' } })).toEqual([]);
  });

  it('names absent packages and wrong versions, optional ones too when their version is wrong', () => {
    expect(missingPackages(wanted, {})).toEqual(['node_modules/a']);
    expect(
      missingPackages(wanted, { 'node_modules/a': { version: '1.0.1' }, 'node_modules/b': { version: '1.0.0' } }),
    ).toEqual(['node_modules/a', 'node_modules/b']);
  });
});

describe('missingSystemPackages', () => {
  const all = [
    'libgtk-3.so.0',
    'libnss3.so',
    'libasound.so.2',
    'libgbm.so.1',
    'libXss.so.1',
    'libatk-bridge-2.0.so.0',
    'libdrm.so.2',
    'libxkbcommon.so.0',
    'libnotify.so.4',
  ];
  const cache = (names: string[]) => names.map((name) => `\t${name} (libc6,x86-64) => /usr/lib/${name}`).join('\n');

  it('asks for nothing on a complete machine', () => {
    expect(missingSystemPackages(cache(all), () => true, false)).toEqual([]);
  });

  it('asks for the virtual display only where there is no display', () => {
    expect(missingSystemPackages(cache(all), () => false, false)).toEqual(['xvfb', 'xauth']);
    expect(missingSystemPackages(cache(all), () => false, true)).toEqual([]);
  });

  it('does not take a longer name for a library', () => {
    expect(missingSystemPackages(cache([...all.slice(1), 'libgtk-3.so.0.2400']), () => true, true)).toEqual([
      'libgtk-3-0',
    ]);
  });
});

describe('mergeState', () => {
  const done = { step: 'one', ok: true, detail: 'present', seconds: 0 };
  const missing = {
    step: 'two',
    ok: false,
    detail: 'not available',
    seconds: 1,
    tried: 'pip',
    follows: 'wasm',
    remedy: 'install pip',
  };

  it('lists what is missing with its remedy', () => {
    expect(mergeState([done, missing], null).missing).toEqual([
      { step: 'two', tried: 'pip', follows: 'wasm', remedy: 'install pip' },
    ]);
  });

  it('keeps the outcome of steps that did not run this time and replaces the others', () => {
    const before = mergeState([done, missing], null);
    const after = mergeState([{ ...missing, ok: true }], before);
    expect(after.steps.map(({ step, ok }) => [step, ok])).toEqual([
      ['one', true],
      ['two', true],
    ]);
    expect(after.missing).toEqual([]);
  });
});

describe('recentFailure', () => {
  const outcome = {
    step: 'two',
    ok: false,
    detail: '',
    seconds: 1,
    tried: 'pip',
    follows: 'wasm',
    remedy: 'install pip',
  };
  const at = (time: string) => mergeState([outcome], null, new Date(time));

  it('remembers a failure for a day, on the same platform', () => {
    const state = at('2026-01-01T00:00:00Z');
    expect(recentFailure(state, 'two', new Date('2026-01-01T23:00:00Z'))).toBe(outcome);
    expect(recentFailure(state, 'two', new Date('2026-01-02T01:00:00Z'))).toBeNull();
    expect(recentFailure(state, 'two', new Date('2025-12-31T00:00:00Z'))).toBeNull();
    expect(recentFailure({ ...state, platform: 'elsewhere-x64' }, 'two', new Date('2026-01-01T01:00:00Z'))).toBeNull();
    expect(recentFailure(state, 'one', new Date('2026-01-01T01:00:00Z'))).toBeNull();
  });

  it('does not stand in the way of a step that went well', () => {
    const state = mergeState([{ ...outcome, ok: true }], null, new Date('2026-01-01T00:00:00Z'));
    expect(recentFailure(state, 'two', new Date('2026-01-01T01:00:00Z'))).toBeNull();
  });
});

describe('what is printed', () => {
  it('says in one line what was tried, what follows and what to do', () => {
    const outcome = {
      step: 'two',
      ok: false,
      detail: '',
      seconds: 1.25,
      tried: 'pip: refused',
      follows: 'slower',
      remedy: 'install pip',
    };
    expect(outcomeLine('[2/5] two', outcome)).toBe(
      '[2/5] two: NOT AVAILABLE (1.3 s). Tried: pip: refused. So: slower. To change that: install pip.',
    );
  });

  it.each([
    [
      'npm error code EUSAGE\nnpm error\nnpm error package.json and the lock file are not in sync\nnpm error A complete log of this run',
      'npm error package.json and the lock file are not in sync',
    ],
    ['a.cc:3:1: error: no type named napi\n    at run (x.js:1)\n2 errors', 'a.cc:3:1: error: no type named napi'],
    ['Reading package lists...\nE: Unable to locate package xvfb', 'E: Unable to locate package xvfb'],
    ['nothing of interest\nthe end', 'the end'],
    ['', 'exit code 1'],
  ])('takes the telling line out of %j', (stderr, expected) => {
    expect(failureReason({ stdout: '', stderr, timedOut: false, code: 1 })).toBe(expected);
  });

  it('says so when a command came to no end', () => {
    expect(failureReason({ stdout: '', stderr: 'Error', timedOut: true, code: null })).toBe(
      'no end within the time limit',
    );
  });
});

describe('chromiumSwitches', () => {
  it('leaves the sandbox alone for everyone but root', () => {
    expect(chromiumSwitches({ platform: 'linux', isRoot: false, hasGpu: true })).toEqual([]);
    expect(chromiumSwitches({ platform: 'linux', isRoot: true, hasGpu: false })).toEqual([
      '--no-sandbox',
      '--disable-gpu',
    ]);
    expect(chromiumSwitches({ platform: 'win32', isRoot: true, hasGpu: false })).toEqual([]);
  });
});
