import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { fitStart } from '../../src/charts/fit-start';
import { renderReport } from '../../src/export/report';
import { addToRecord, emptyRecord, type RunRecord } from '../../src/shared/run-record';
import { fixtureRun, loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

async function recordOf(name: string, layerName?: string, isRandom = false): Promise<RunRecord> {
  const fixture = loadKerasFixture(name);
  const model = await readFixtureModel(fixture);
  const { request, data } = fixtureRun(fixture, 'reference');
  const source = { format: 'keras-v3', producer: '<b>Keras</b>', path: 'm.keras', bytes: 1, sha256: 'ab' };
  const record = emptyRecord();
  const renamed = layerName
    ? {
        ...model,
        layers: model.layers.map((layer) => ({
          ...layer,
          name: layer.name === fixture.layer ? layerName : layer.name,
        })),
      }
    : model;
  const order = {
    model: renamed,
    source,
    version: 'test',
    request: {
      ...request,
      layer: layerName ?? request.layer,
      ...(isRandom && { input: { kind: 'random' as const, steps: 20, batch: 1, seed: 7 }, warmUp: 3 }),
    },
    data: isRandom ? { ...data, input: null } : data,
  };
  for await (const { event } of analyze(order, new AbortController().signal)) addToRecord(record, event);
  return record;
}

describe('renderReport', () => {
  it('is one page that loads and runs nothing, with verdict, pictures, tables and sources', async () => {
    const html = renderReport([await recordOf('keras3-lstm')], 'model.keras');
    expect(html).not.toMatch(/<script|<link|<iframe|<img|\son\w+=|url\((?!#)|https?:\/\/(?!www\.w3\.org)/i);
    expect(html.match(/<svg/g)?.length).toBe(3);
    expect(html).toContain('Hidden state h');
    expect(html).toContain('Cell state c');
    expect(html).toContain('Settings');
    expect(html).toContain('arXiv:1211.5063');
  });

  it('names diagnostics in words, never by the keys of the summary', async () => {
    const html = renderReport([await recordOf('keras3-lstm')], 'model.keras');
    const table = /<table><caption>Diagnostics<[\s\S]*?<\/table>/.exec(html)![0];
    expect(table).toMatch(/>Orthogonality margin<\/th><td>f, forget gate<\/td><td>[\d.]+<\/td>/);
    expect(table).toMatch(/>Forget timescale, steps<\/th><td>longest</);
    expect(table).toMatch(/>Saturated gates<\/th><td>i, input gate<\/td><td>left [\d.]+ %, right [\d.]+ %</);
    expect(table).not.toMatch(/[a-z][A-Z]/);
  });

  it('escapes what came from a file', async () => {
    const html = renderReport(
      [await recordOf('keras3-lstm', '<script>alert(1)</script>')],
      '"><img src=x onerror=y>.keras',
    );
    expect(html).not.toContain('<script>');
    expect(html).not.toContain('<img');
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).toContain('&lt;b&gt;Keras&lt;/b&gt;');
  });

  it('draws each direction of a Bidirectional layer', async () => {
    const html = renderReport([await recordOf('keras3-bidirectional-unlike-kinds')], 'model.keras');
    expect(html).toContain('h forward');
    expect(html).toContain('h backward');
  });

  it.each([
    ['keras3-lstm', 'standard normal, seed 7'],
    ['keras3-embedding-no-mask', 'uniform ids, seed 7'],
  ])('says what the input of %s was drawn from', async (name, said) => {
    const record = await recordOf(name, undefined, true);
    expect(renderReport([record], 'model.keras')).toContain(said);
    expect(record.summary!.run.warmUp).toBe(3);
  });
});

describe('the names at the ends of curves', () => {
  it('stand apart where the curves end together', async () => {
    const record = await recordOf('keras3-lstm');
    for (const mode of ['final', 'diagonal']) {
      record.series.set(`${mode} c forward`, record.series.get(`${mode} h forward`)!);
    }
    const html = renderReport([record], 'model.keras');
    const places = [...html.matchAll(/<text[^>]*transform="translate\(\S+ ([\d.]+)\)"[^>]*>[hc]<\/text>/g)];
    const heights = places.map(([, height]) => Number(height));
    expect(heights.length).toBeGreaterThanOrEqual(4);
    for (let at = 0; at + 1 < 4; at += 2) {
      expect(Math.abs(heights[at]! - heights[at + 1]!)).toBeGreaterThanOrEqual(10);
    }
  });
});

describe('fitStart', () => {
  it('is what was asked for, else the first tenth of the valid steps of the longest sequence', () => {
    const sizes = { batch: 2, steps: 100 };
    const mask = Uint8Array.from({ length: 200 }, (_, at) => Number(at % 100 >= (at < 100 ? 70 : 40)));
    expect(fitStart(null, null, sizes)).toBe(10);
    expect(fitStart(null, mask, sizes)).toBe(6);
    expect(fitStart(25, mask, sizes)).toBe(25);
    expect(fitStart(0, null, sizes)).toBe(0);
  });
});
