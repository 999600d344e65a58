import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import { renderReport } from '../../src/export/report';
import { addToRecord, emptyRecord, type RunRecord } from '../../src/shared/run-record';
import { fixtureRun, loadKerasFixture, readFixtureModel } from '../support/keras-fixtures';

async function recordOf(name: string, layerName?: string): Promise<RunRecord> {
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
    request: { ...request, layer: layerName ?? request.layer },
    data,
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
});
