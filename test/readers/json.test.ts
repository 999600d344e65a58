import { describe, expect, it } from 'vitest';
import { field, parseJson, stringField } from '../../src/readers/json';
import { DEFAULT_LIMITS, limitsOfReading } from '../../src/readers/limits';

const parse = (text: string): ReturnType<typeof parseJson> => parseJson(text, 'config.json', limitsOfReading());

describe('parseJson', () => {
  it('reads JSON, with the words that Python adds to it', () => {
    expect(parse('{"a": [NaN, Infinity, -Infinity, 1e-3], "NaN": "Infinity \\" NaN"}')).toEqual({
      a: [null, Infinity, -Infinity, 1e-3],
      NaN: 'Infinity " NaN',
    });
  });

  it.each(['', '{', '{"a": }', "{'a': 1}", 'None', '{"a": Nope}', '[1] [2]'])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'reader/corrupt' }));
  });

  it('counts nesting before it parses, brackets in strings left out', () => {
    const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parse(deep(100_000))).toThrow(expect.objectContaining({ code: 'reader/limit-exceeded' }));
    expect(() => parse(deep(DEFAULT_LIMITS.maxJsonDepth))).not.toThrow();
    expect(() => parse(JSON.stringify('['.repeat(100_000)))).not.toThrow();
  });

  it('holds the size against the limit', () => {
    expect(() => parseJson('[1,2,3]', 'x', limitsOfReading({ maxJsonBytes: 3 }))).toThrow(
      expect.objectContaining({ code: 'reader/limit-exceeded' }),
    );
  });

  it('keeps __proto__ a key like any other', () => {
    const value = parse('{"__proto__": {"name": "evil"}}');
    expect(field(value, 'name')).toBeUndefined();
    expect(stringField(field(value, '__proto__'), 'name')).toBe('evil');
    expect(stringField(value, 'toString')).toBeNull();
    expect(({} as { name?: string }).name).toBeUndefined();
  });
});
