import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { memorySource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

function read(name: string): Promise<RecurrentModel> {
  return readModel(memorySource(readFileSync(`test/fixtures/onnx/${name}/model.onnx`)), 'model.onnx');
}

/** Names of what a layer stands on, down to the input. */
function below({ layers }: RecurrentModel, name: string): readonly string[] {
  const layer = layers.find((found) => found.name === name);
  const [ref] = layer?.inputs ?? [];
  const lower = ref ? layers[ref.layer]?.name : undefined;
  return lower === undefined ? [] : [lower, ...below({ layers } as RecurrentModel, lower)];
}

describe('If nodes', () => {
  it('of a stored condition give what its branch gives, without a word', async () => {
    const model = await read('branch-stored');
    expect(below(model, 'cell')).toEqual(['choice/else_branch/inner', 'choice/else_branch/bend', 'below', 'X']);
    expect(model.assumptions).toEqual([]);
  });

  it('of a fed condition have each variant as a layer', async () => {
    const model = await read('branch-fed-then');
    expect(model.layers.filter(isRecurrent).map(({ name }) => name)).toEqual([
      'choice/else_branch/cell',
      'choice/then_branch/cell',
    ]);
    expect(below(model, 'choice/else_branch/cell')).toEqual(['choice/else_branch/Relu_0', 'below', 'X']);
    expect(below(model, 'choice/then_branch/cell')).toEqual(['below', 'X']);
  });

  it('below a cell are followed into one branch, and the model says which', async () => {
    const { assumptions } = await read('branch-squeezed');
    expect(assumptions).toContainEqual(expect.objectContaining({ what: 'branch of choice', assumed: 'then_branch' }));
  });

  it('inside one another see the values around both', async () => {
    const model = await read('branch-nested');
    expect(below(model, 'first/then_branch/second/then_branch/cell')).toEqual(['below', 'X']);
  });
});
