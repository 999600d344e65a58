import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { programPaths, programVersion } from '../../src/host/paths';
import { loadSamples } from '../../src/host/samples';

const paths = programPaths(import.meta.url);

describe('the samples that ship', () => {
  const { samples, pathOf } = loadSamples(paths.samples);

  it('are four, each with a title, a line of description and a file that is there', () => {
    expect(samples).toHaveLength(4);
    for (const { name, title, description, data } of samples) {
      expect(existsSync(pathOf(name))).toBe(true);
      expect(title).not.toBe('');
      expect(description).not.toBe('');
      if (data !== null) expect(existsSync(data)).toBe(true);
    }
  });

  it.each(['../package', '', 'constructor', 'nothing'])('refuse the name %j', (name) => {
    expect(() => pathOf(name)).toThrowError(expect.objectContaining({ code: 'reader/not-readable' }));
  });
});

describe('paths of the program', () => {
  it('are found from any module of it', () => {
    expect(existsSync(join(paths.root, 'package.json'))).toBe(true);
    expect(programVersion(import.meta.url)).toMatch(/^\d+\.\d+\.\d+/);
  });
});
