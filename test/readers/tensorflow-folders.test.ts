import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isRecurrent, type RecurrentModel } from '../../src/core/model';
import { runReaderJob } from '../../src/host/reader-job';
import { NO_READER_OPTIONS, type ReadModelResult } from '../../src/host/reader-messages';
import { memorySource, type ByteSource } from '../../src/readers/byte-source';
import { readModel } from '../../src/readers/read-model';

const scratch = mkdtempSync(join(tmpdir(), 'tempograd-tensorflow-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** The model of a path, opened as the program opens it. */
async function open(path: string): Promise<RecurrentModel> {
  const job = { kind: 'model', path, options: NO_READER_OPTIONS, describe: false, hash: false } as const;
  const { model } = (await runReaderJob(job, () => undefined)) as ReadModelResult;
  return model!;
}

function copyOf(fixture: string): string {
  const folder = join(scratch, fixture.replace('/', '-'));
  cpSync(`test/fixtures/${fixture}`, folder, { recursive: true });
  return folder;
}

function recurrentNames(model: RecurrentModel): readonly string[] {
  return model.layers.filter(isRecurrent).map(({ name }) => name);
}

describe('a folder', () => {
  it.each(['tfjs/tfkeras-shards', 'tfjs/own-lstm', 'saved-model/lstm', 'saved-model/other-shards', 'checkpoint/lstm'])(
    '%s opens by itself',
    async (fixture) => {
      expect(recurrentNames(await open(`test/fixtures/${fixture}`))).toEqual(['memory']);
    },
  );

  it.each([0.02, 0.5, 0.99])('of a SavedModel whose graph ends after %d of it is told so', async (part) => {
    const folder = copyOf('saved-model/lstm');
    const path = join(folder, 'saved_model.pb');
    const size = readFileSync(path).length;
    truncateSync(path, Math.ceil(part * size));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'reader/truncated',
      message: expect.stringContaining('saved_model.pb'),
    });
  });

  it('that links its shards to files outside is refused', async () => {
    const folder = copyOf('tfjs/tfkeras-lstm');
    renameSync(join(folder, 'group1-shard1of1.bin'), join(scratch, 'outside.bin'));
    symlinkSync(join(scratch, 'outside.bin'), join(folder, 'group1-shard1of1.bin'));
    await expect(open(folder)).rejects.toMatchObject({ code: 'reader/external-data-missing' });
  });
});

describe('a checkpoint', () => {
  it('with a shard of 4 GB opens by ranges', async () => {
    const folder = copyOf('checkpoint/lstm');
    truncateSync(join(folder, 'model.ckpt.data-00000-of-00001'), 4 * 1024 ** 3);
    expect(recurrentNames(await open(join(folder, 'model.ckpt.index')))).toEqual(['memory']);
  });

  it('gives its recurrent tensors without those of the optimizer being read', async () => {
    const read = new Map<string, number>();
    const counted = (name: string): ByteSource => {
      const inner = memorySource(readFileSync(`test/fixtures/checkpoint/first-generation/${name}`));
      const count = (length: number): void => void read.set(name, (read.get(name) ?? 0) + length);
      return {
        size: inner.size,
        read(offset, length) {
          count(length);
          return inner.read(offset, length);
        },
      };
    };
    const shard = 'model.ckpt.data-00000-of-00001';
    const source = counted(shard);
    const model = await readModel(counted('model.ckpt.index'), 'model.ckpt.index', {
      openBeside: (path) => (path === shard ? source : null),
    });
    expect(recurrentNames(model)).toEqual(['memory']);
    // An LSTM of 4 units on 3 inputs: kernels of 48 and 64 numbers, a bias of 16.
    expect(read.get(shard)).toBe(4 * (48 + 64 + 16));
  });
});
