/** Pickles that want to run a program, take memory, or contradict themselves: each with its code, and nothing of it run. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/readers/byte-source';
import { unpickle } from '../../src/readers/containers/pickle';
import { PickleGlobal, PickleObject } from '../../src/readers/containers/pickle-values';
import { findTensors } from '../../src/readers/dialects/torch/find-tensors';
import type { TorchFile } from '../../src/readers/dialects/torch/storages';
import { limitsOfReading } from '../../src/readers/limits';
import { readModel } from '../../src/readers/read-model';
import { openZip } from '../../src/readers/containers/zip';
import { writeZip } from './containers/write-zip';

/** Protocol 2, then what is given, byte for byte. */
const pickle = (body: string): Uint8Array => Buffer.from(`\x80\x02${body}`, 'latin1');
const archive = (body: string, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array =>
  writeZip([
    { name: 'm/data.pkl', bytes: pickle(body) },
    ...Object.entries(storages).map(([name, bytes]) => ({ name: `m/data/${name}`, bytes })),
  ]);

async function outcome(bytes: Uint8Array): Promise<{ code: string; message: string }> {
  try {
    const model = await readModel(memorySource(bytes), 'm.pt');
    return { code: 'opened', message: model.warnings.map(({ message }) => message).join(' ') };
  } catch (error) {
    return error as { code: string; message: string };
  }
}

const STORAGE = '(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ';
/** `_rebuild_tensor_v2(storage of 4, offset, size, stride, False, OrderedDict())`. */
const tensor = (offset: string, size: string, stride: string): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${STORAGE}${offset}${size}${stride}\x89ccollections\nOrderedDict\n)RtR`;
const named = (name: string, value: string): string =>
  `X${String.fromCharCode(name.length)}\x00\x00\x00${name}${value}`;
const FOUR = { '0': new Uint8Array(16) };

describe('a pickle that would run something', () => {
  const marker = '/tmp/tempograd-pickle-was-run';
  it.each<[string, string, string]>([
    ['os.system by REDUCE', `cposix\nsystem\n${named(`touch ${marker}`, '')}\x85R.`, 'posix.system'],
    ['eval', 'cbuiltins\neval\nX\x03\x00\x00\x001+1\x85R.', 'builtins.eval'],
    [
      'a nested getattr',
      'cbuiltins\ngetattr\ncos\npath\nX\x06\x00\x00\x00system\x86RX\x01\x00\x00\x00a\x85R.',
      'builtins.getattr',
    ],
    ['BUILD on a callable', 'cposix\nsystem\n}X\x01\x00\x00\x00aK\x01sb.', 'posix.system'],
    ['STACK_GLOBAL', 'X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93X\x01\x00\x00\x00a\x85R.', 'posix.system'],
    ['NEWOBJ of a process', 'csubprocess\nPopen\nX\x01\x00\x00\x00a\x85\x81.', 'subprocess.Popen'],
  ])('%s is reader/unsafe and names it', async (_, body, name) => {
    for (const bytes of [pickle(body), archive(body)]) {
      const { code, message } = await outcome(bytes);
      expect(code).toBe('reader/unsafe');
      expect(message).toContain(name);
    }
    expect(existsSync(marker)).toBe(false);
  });

  it('beside tensors opens, and the warning names what it wanted', async () => {
    const body = `}(${named('w', tensor('K\x00', 'K\x04\x85', 'K\x01\x85'))}${named('x', 'cposix\nsystem\nX\x01\x00\x00\x00a\x85R')}u.`;
    const { code, message } = await outcome(archive(body, FOUR));
    expect(code).toBe('opened');
    expect(message).toContain('posix.system');
  });

  it('after its end is never looked at', () => {
    const { value } = unpickle(memorySource(pickle('K\x07.cposix\nsystem\n)R.')), 0, 'm', limitsOfReading());
    expect(value).toBe(7);
  });
});

describe('a pickle that is damaged', () => {
  it.each<[string, string, string]>([
    ['an empty one', '', 'reader/truncated'],
    ['LONG4 of a negative length', '\x8b\xff\xff\xff\xff.', 'reader/corrupt'],
    ['BINSTRING of a negative length', 'T\xff\xff\xff\xff.', 'reader/corrupt'],
    ['BINBYTES8 of 2^60', '\x8e\x00\x00\x00\x00\x00\x00\x00\x10.', 'reader/truncated'],
    ['a text longer than the file', 'X\xff\xff\xff\x7fa.', 'reader/truncated'],
    ['a number of 100 bytes', `\x8a\x64${'a'.repeat(100)}.`, 'reader/corrupt'],
    ['an unknown operation', '\xff.', 'reader/corrupt'],
    ['INST, which needs code', '(iposix\nsystem\n.', 'reader/corrupt'],
    ['a value that was never kept', 'h\x05.', 'reader/corrupt'],
    ['no mark', 'K\x01t.', 'reader/corrupt'],
    ['no value', '.', 'reader/corrupt'],
    ['values left over', 'K\x01K\x02.', 'reader/corrupt'],
    ['an odd number of entries', '}(K\x01u.', 'reader/corrupt'],
    ['an entry in a number', 'K\x01K\x02K\x03s.', 'reader/corrupt'],
    ['a state for a number', 'K\x01}b.', 'reader/corrupt'],
    ['a line without end', `c${'a'.repeat(10_000)}`, 'reader/corrupt'],
    ['2000 marks in one another', `${'('.repeat(2000)}.`, 'reader/limit-exceeded'],
    ['no tensor', '}.', 'reader/unknown-format'],
    ['only a member-like key', `}${named('__proto__', 'K\x01')}s.`, 'reader/unknown-format'],
  ])('%s', async (_, body, code) => {
    expect((await outcome(pickle(body))).code).toBe(code);
    expect((await outcome(archive(body))).code).toBe(code);
  });

  it('of 100 000 tuples in one another is read without a stack of its own', async () => {
    expect((await outcome(pickle(`)${'\x85'.repeat(100_000)}.`))).code).toBe('reader/unknown-format');
  });

  it('that refers to itself ends', async () => {
    const { code } = await outcome(archive(`]q\x00h\x00a${'h\x00a'.repeat(3)}.`));
    expect(code).toBe('reader/unknown-format');
  });

  it('remembers no more than the limit', () => {
    const body = pickle(`${'K\x01\x94'.repeat(50)}.`);
    expect(() => unpickle(memorySource(body), 0, 'm', limitsOfReading({ maxPickleMemo: 20 }))).toThrow(/maxPickleMemo/);
  });
});

describe('a tensor that contradicts its storage', () => {
  const weight = (name: string, offset: string, size: string, stride: string): string =>
    named(name, tensor(offset, size, stride));
  /** An nn.RNN of one unit whose input weight is what is tried. */
  const model = (offset: string, size: string, stride: string): string =>
    `}(${weight('weight_ih_l0', offset, size, stride)}${weight('weight_hh_l0', 'K\x00', 'K\x01K\x01\x86', 'K\x01K\x01\x86')}u.`;

  it.each<[string, string, Readonly<Record<string, Uint8Array>>, string]>([
    ['inside it', model('K\x00', 'K\x01K\x04\x86', 'K\x04K\x01\x86'), FOUR, 'opened'],
    ['past its end', model('K\x01', 'K\x01K\x04\x86', 'K\x04K\x01\x86'), FOUR, 'reader/corrupt'],
    ['with elements on one another', model('K\x00', 'K\x01K\x09\x86', 'K\x00K\x00\x86'), FOUR, 'reader/corrupt'],
    ['with a negative stride', model('K\x03', 'K\x01K\x04\x86', 'K\x04J\xff\xff\xff\xff\x86'), FOUR, 'reader/corrupt'],
    ['with a negative offset', model('J\xff\xff\xff\xff', 'K\x01K\x04\x86', 'K\x04K\x01\x86'), FOUR, 'reader/corrupt'],
    ['of a storage that is not there', model('K\x00', 'K\x01K\x04\x86', 'K\x04K\x01\x86'), {}, 'reader/corrupt'],
    [
      'of a storage that is too short',
      model('K\x00', 'K\x01K\x04\x86', 'K\x04K\x01\x86'),
      { '0': new Uint8Array(8) },
      'reader/corrupt',
    ],
    ['of 2^31 elements', model('K\x00', 'K\x01J\xff\xff\xff\x7f\x86', 'K\x00K\x00\x86'), FOUR, 'reader/limit-exceeded'],
  ])('%s', async (_, body, storages, code) => {
    expect((await outcome(archive(body, storages))).code).toBe(code);
  });

  it.each(['../../etc/passwd', 'a/b', ''])('of a storage named %j is no tensor', async (key) => {
    const storage = STORAGE.replace('X\x01\x00\x00\x000', named(key, ''));
    const body = `}${named('w', `ctorch._utils\n_rebuild_tensor_v2\n(${storage}K\x00K\x04\x85K\x01\x85\x89}tR`)}s.`;
    expect((await outcome(archive(body, FOUR))).code).toBe('reader/unknown-format');
  });
});

describe('what an interpreter makes', () => {
  it('are records of calls, never calls', () => {
    const { value, globals } = unpickle(memorySource(pickle('cposix\nsystem\nK\x01\x85R.')), 0, 'm', limitsOfReading());
    expect(value).toBeInstanceOf(PickleObject);
    expect((value as PickleObject).callable).toBeInstanceOf(PickleGlobal);
    expect(globals.map(({ path }) => path)).toEqual(['posix.system']);
  });
});

describe('files of torch.save', () => {
  const fixture = (name: string): Uint8Array => readFileSync(`test/fixtures/torch/${name}/model.pt`);

  it('names classes that were not loaded', async () => {
    const { code, message } = await outcome(fixture('net-whole'));
    expect(code).toBe('opened');
    expect(message).toContain('__main__.Net');
  });

  it('takes the nonlinearity of a module saved whole, and assumes nothing', async () => {
    const model = await readModel(memorySource(fixture('rnn-relu-whole')), 'm.pt');
    expect(model.assumptions.map(({ what }) => what)).not.toContain('nonlinearity of rnn');
  });

  it('leaves the state of an optimizer out', async () => {
    const model = await readModel(memorySource(fixture('net-checkpoint')), 'm.pt');
    expect(model.layers.map(({ name }) => name).sort()).toEqual(['embed', 'encoder.lstm', 'head']);
  });

  it('cut anywhere in the old layout has a code', async () => {
    const bytes = fixture('lstm-legacy');
    for (let length = 1; length < bytes.length; length += 97) {
      const { code } = await outcome(bytes.subarray(0, length));
      expect(['reader/truncated', 'reader/unknown-format', 'reader/corrupt']).toContain(code);
    }
  });

  it('have two pickles of one archive refused as damage', async () => {
    const parts = await openZip(memorySource(fixture('lstm')), limitsOfReading());
    const entries = await Promise.all(parts.names.map(async (name) => ({ name, bytes: await parts.read(name) })));
    const { code } = await outcome(writeZip([...entries, { name: 'other/data.pkl', bytes: pickle('}.') }]));
    expect(code).toBe('reader/unknown-format');
  });
});

describe('one tensor under very many names', () => {
  const file = (maxNamedTensors: number): TorchFile => ({
    name: 'm.pt',
    littleEndian: true,
    limits: limitsOfReading({ maxNamedTensors }),
    open: () => Promise.reject(new Error('nothing is read to find names')),
    nested: new Map(),
  });

  /** How often the record was looked at before the limit was reached. */
  function looksUntil(limit: number): number {
    let looks = 0;
    const { value } = unpickle(
      memorySource(pickle(`${tensor('K\x00', 'K\x04\x85', 'K\x01\x85')}.`)),
      0,
      'm.pt',
      limitsOfReading(),
    );
    const record = value as PickleObject;
    const counted = new PickleObject(record.callable, record.args);
    Object.defineProperty(counted, 'callable', { get: () => (looks++, record.callable) });
    const names = Array.from({ length: 50 * limit }, () => counted);
    expect(() => findTensors(names, file(limit))).toThrow(/maxNamedTensors/);
    return looks;
  }

  it('is looked at once for each up to the limit, and no further', () => {
    const looks = looksUntil(100);
    expect(looks / 101).toBeLessThan(5);
    expect(looksUntil(1000) / 1001).toBe(looks / 101);
  });

  it('has a limit that a list of a million names exceeds', async () => {
    const list = `](${tensor('K\x00', 'K\x04\x85', 'K\x01\x85')}q\x07${'h\x07'.repeat(1_000_000)}e.`;
    expect((await outcome(pickle(list))).code).toBe('reader/limit-exceeded');
  });
});
