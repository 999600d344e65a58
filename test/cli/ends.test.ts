/** How a command ends: wrong use, places that cannot be written, limits, Ctrl-C, and a worker that is killed. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  copyFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpz } from '../support/read-npz';
import {
  fixtureArrays,
  fixtureModel,
  inParallel,
  listFolder,
  makeFolder,
  readFailure,
  ROOT,
  runCli,
  startCli,
  type Ended,
  type RunningCommand,
} from './run-cli';

const folder = makeFolder();
const path = (...parts: string[]): string => join(folder.path, ...parts);
const LSTM = fixtureModel('keras3-lstm');
const VANISHING = join(ROOT, 'resources/samples/vanishing-lstm.keras');
const KEPT = 'an older result\n';

afterAll(() => folder.remove());

/** Runs many commands, then one test each. */
function eachCommand(
  commands: Readonly<Record<string, readonly string[]>>,
  check: (name: string, ended: Ended) => void,
  prepare: () => void = () => undefined,
): void {
  const results = new Map<string, Ended>();
  beforeAll(async () => {
    prepare();
    await inParallel(Object.entries(commands), async ([name, args]) => {
      results.set(name, await runCli(args, { cwd: folder.path }));
    });
  }, 120_000);
  it.each(Object.keys(commands))('%s', (name) => check(name, results.get(name)!));
}

describe('wrong use ends with 2', () => {
  eachCommand(
    {
      'unknown command': ['analyse', LSTM],
      'a model for a command': [LSTM],
      'unknown option': ['analyze', LSTM, '--layr', 'memory'],
      'no model': ['analyze'],
      'two models': ['inspect', LSTM, LSTM],
      'a value that is missing': ['analyze', LSTM, '--layer'],
      'steps of nothing': ['analyze', LSTM, '--steps', '0'],
      'steps beyond the limit': ['analyze', LSTM, '--steps', '1000001'],
      'steps with a fraction': ['analyze', LSTM, '--steps', '1.5'],
      'steps in hexadecimal': ['analyze', LSTM, '--steps', '0x10'],
      'batch of nothing': ['analyze', LSTM, '--batch', '0'],
      'batch beyond the limit': ['analyze', LSTM, '--batch', '1000001'],
      'negative seed': ['analyze', LSTM, '--seed', '-1'],
      'unknown mode': ['analyze', LSTM, '--mode', 'final,everything'],
      'no mode': ['analyze', LSTM, '--mode', ','],
      'whole pairs by the model’s input': [
        ...['analyze', LSTM, '--mode', 'pairs', '--full', '--wrt', 'model-input', '--out', 'x.npz'],
      ],
      'whole pairs without pairs': ['analyze', LSTM, '--full', '--out', 'x.npz'],
      'whole pairs that go nowhere': ['analyze', LSTM, '--mode', 'pairs', '--full'],
      'a size of nothing that is asked for': ['analyze', LSTM, '--max-bytes', '1000'],
      'blocks of the state without pairs': ['analyze', LSTM, '--state-blocks'],
      'a block of one step': ['analyze', LSTM, '--block', '3'],
      'a block before the first step': ['analyze', LSTM, '--block', '3,-1'],
      'a block behind the last step': ['analyze', LSTM, '--steps', '20', '--block', '20,1'],
      'a block by the model’s input': ['analyze', LSTM, '--wrt', 'model-input', '--block', '3,1'],
      'a block of a sequence that is not there': ['analyze', LSTM, '--steps', '20', '--block', '5,1,1'],
      'unknown engine': ['analyze', LSTM, '--engine', 'torch'],
      'unknown progress': ['analyze', LSTM, '--progress', 'loud'],
      'unknown verdict': ['analyze', LSTM, '--fail-on', 'carried'],
      'unknown wrt': ['analyze', LSTM, '--wrt', 'weights'],
      'reset-after of neither': ['analyze', LSTM, '--reset-after', 'maybe'],
      'no span': ['analyze', LSTM, '--span', '0'],
      'no time': ['analyze', LSTM, '--max-seconds', '0'],
      'memory in words': ['analyze', LSTM, '--max-memory', 'much'],
      'a seed with a file': ['analyze', LSTM, '--input', 'x.npy', '--seed', '1'],
      'a mask above the layer': ['analyze', LSTM, '--mask', 'mask.npy'],
      'a key without a file': ['analyze', LSTM, '--key', 'x'],
      'the model’s input at the layer': ['analyze', LSTM, '--wrt', 'model-input', '--at-layer'],
      'unknown benchmark case': ['bench', '--case', 'C99'],
    },
    (_, { code, out, err }) => {
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(readFailure(err).code).toBe('usage/bad-option');
    },
  );

  it('is told as JSON too', async () => {
    const { code, out } = await runCli(['analyze', LSTM, '--json', '--steps', 'many']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ schema: 1, error: { code: 'usage/bad-option', details: {} } });
  });
});

describe('places that cannot be written', () => {
  const run = ['analyze', LSTM, '--steps', '12'];
  eachCommand(
    {
      'a folder that is not there': [...run, '--out', 'missing/a.npz'],
      'a folder itself': [...run, '--out', 'folder'],
      'a folder for the report': [...run, '--report', 'folder'],
      'a folder for the summary': [...run, '--json=folder'],
      'a file for a folder': [...run, '--out', 'kept.txt/a.npz'],
      'a file for the CSV folder': [...run, '--csv', 'kept.txt'],
      'a file for the folder of all layers': [...run, '--layer', 'all', '--out', 'kept.txt'],
      'a device': [...run, '--out', '/dev/null'],
      'a trace in a folder that is not there': [...run, '--trace', 'missing/trace.jsonl'],
    },
    (_, { code, out, err }) => {
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(readFailure(err).code).toBe('output/not-writable');
    },
    () => {
      mkdirSync(path('folder'));
      writeFileSync(path('kept.txt'), KEPT);
    },
  );

  it('a folder without permission', async () => {
    mkdirSync(path('closed'));
    chmodSync(path('closed'), 0o555);
    const { code, err } = await runCli([...run, '--out', 'closed/a.npz'], { cwd: folder.path });
    // The administrator may write everywhere.
    if (process.getuid?.() === 0) expect({ code, err }).toEqual({ code: 0, err: '' });
    else expect({ code, failure: readFailure(err).code }).toEqual({ code: 3, failure: 'output/not-writable' });
    chmodSync(path('closed'), 0o755);
  });

  it.runIf(existsSync('/dev/full'))('standard output on a full disk', () => {
    const full = openSync('/dev/full', 'w');
    const ended = spawnSync(process.execPath, [join(ROOT, 'bin/tempograd.mjs'), 'inspect', LSTM, '--json'], {
      stdio: ['ignore', full, 'pipe'],
    });
    expect(ended.status).toBe(3);
    expect(readFailure(ended.stderr.toString()).code).toBe('output/not-writable');
  });

  it('a reader that has seen enough is no failure', async () => {
    const child = spawn(process.execPath, [join(ROOT, 'bin/tempograd.mjs'), 'inspect', LSTM, '--json']);
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('leave what was there, and nothing else', () => {
    expect(readFileSync(path('kept.txt'), 'utf8')).toBe(KEPT);
    expect(listFolder(path('folder'))).toEqual([]);
    expect(listFolder(folder.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(existsSync(path('missing'))).toBe(false);
  });
});

describe('an output in the place of an input or of another output ends with 2', () => {
  const run = ['--steps', '12'];
  eachCommand(
    {
      'the model': ['analyze', 'model.keras', ...run, '--out', 'model.keras'],
      'the model by another way': [
        'analyze',
        'model.keras',
        ...run,
        '--out',
        '../' + folder.path.split('/').at(-1)! + '/model.keras',
      ],
      'the model through a link': ['analyze', 'link.keras', ...run, '--report', 'model.keras'],
      'the input': ['analyze', 'model.keras', '--input', 'data.npz', '--key', 'input', '--out', 'data.npz'],
      'the initial state': ['analyze', 'model.keras', '--at-layer', '--initial-state', 'data.npz', '--out', 'data.npz'],
      'a table of the CSV folder': ['analyze', 'model.keras', '--input', 'tables/x.csv', '--csv', 'tables'],
      'two of the same': ['analyze', 'model.keras', ...run, '--out', 'both', '--report', './both'],
    },
    (_, { code, err }) => {
      expect(code).toBe(2);
      expect(readFailure(err).message).toMatch(/is named twice/);
    },
    () => {
      copyFileSync(LSTM, path('model.keras'));
      symlinkSync(path('model.keras'), path('link.keras'));
      copyFileSync(fixtureArrays('keras3-lstm'), path('data.npz'));
      mkdirSync(path('tables'));
      writeFileSync(path('tables/x.csv'), 'a,b,c\n1,2,3\n4,5,6\n7,8,9\n');
    },
  );

  it('harms none of them', () => {
    expect(readFileSync(path('model.keras')).equals(readFileSync(LSTM))).toBe(true);
    expect(readFileSync(path('data.npz')).equals(readFileSync(fixtureArrays('keras3-lstm')))).toBe(true);
    expect(listFolder(path('tables'))).toEqual(['x.csv']);
  });

  it('is none where only the content is shared', async () => {
    linkSync(path('model.keras'), path('other-name.keras'));
    const { code } = await runCli(['analyze', 'other-name.keras', '--steps', '12', '--out', 'fine.npz'], {
      cwd: folder.path,
    });
    expect(code).toBe(0);
  });
});

describe('limits', () => {
  const outputs = ['--out', 'limit.npz', '--csv', 'limit/deep', '--report', 'limit.html', '--json=limit.json'];
  eachCommand(
    {
      'engine/time-limit': ['analyze', VANISHING, '--steps', '200000', '--max-seconds', '0.3', ...outputs],
      'engine/out-of-memory': ['analyze', VANISHING, '--max-memory', '1000', ...outputs],
      'input/shape-mismatch': [
        'analyze',
        VANISHING,
        '--input',
        fixtureArrays('keras3-lstm'),
        '--key',
        'input',
        ...outputs,
      ],
    },
    (name, { code, out, err }) => {
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(readFailure(err).code).toBe(name);
    },
    () => {
      for (const name of ['limit.npz', 'limit.html', 'limit.json']) writeFileSync(path(name), KEPT);
    },
  );

  it('leave older results as they were, and no folder that was not there', () => {
    for (const name of ['limit.npz', 'limit.html', 'limit.json']) expect(readFileSync(path(name), 'utf8')).toBe(KEPT);
    expect(existsSync(path('limit'))).toBe(false);
  });
});

/** A run long enough to be ended from outside, once it has begun to write. */
async function startLong(place: string): Promise<RunningCommand> {
  mkdirSync(path(place));
  writeFileSync(path(place, 'run.npz'), KEPT);
  const outputs = ['--out', 'run.npz', '--report', 'run.html', '--trace', 'run.trace'];
  const long = ['--steps', '20000', '--batch', '2', '--mode', 'final', '--engine', 'reference', '--progress', 'json'];
  const running = startCli(['analyze', VANISHING, ...long, ...outputs], { cwd: path(place) });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    running.process.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('"kind":"final"')) resolve();
    });
    void running.ended.then(({ code, err }) => reject(new Error(`ended early with ${code}: ${err}`)));
  });
  return running;
}

/** The process that works for the command. */
function workerOf({ process: { pid } }: RunningCommand): number {
  const list = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout;
  const rows = list.split('\n').map((line) => line.trim().split(/\s+/));
  return Number(
    rows.find(([, parent, ...args]) => Number(parent) === pid && args.some((arg) => arg.endsWith('cli.js')))![0],
  );
}

async function waitUntil(holds: () => boolean): Promise<void> {
  const end = performance.now() + 15_000;
  while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(holds()).toBe(true);
}

const lastLines = (err: string, count: number): string => err.trimEnd().split('\n').slice(-count).join('\n') + '\n';

describe('a run that is ended from outside', () => {
  it('keeps at Ctrl-C what it has, under a name that says so', async () => {
    const running = await startLong('cancelled');
    running.process.kill('SIGINT');
    const { code, out, err } = await running.ended;
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(lastLines(err, 1)).toBe('tempograd: cancelled; what was computed is in run.partial.npz\n');
    expect(listFolder(path('cancelled'))).toEqual(['run.npz', 'run.partial.npz']);
    expect(readFileSync(path('cancelled/run.npz'), 'utf8')).toBe(KEPT);
    const arrays = readNpz(readFileSync(path('cancelled/run.partial.npz')));
    const norms = arrays.get('lognorm_dhT_dx')!.data;
    expect(arrays.get('h')!.data.every((value) => Number.isFinite(value))).toBe(true);
    expect(Number.isFinite(norms.at(-1))).toBe(true);
    expect(norms[0]).toBeNaN();
  });

  it('hears Ctrl-C while it writes a table of many rows, and leaves none of it', async () => {
    mkdirSync(path('tables-cut'));
    const long = ['--steps', '60000', '--progress', 'json', '--csv', 'deep/tables'];
    const running = startCli(['analyze', VANISHING, ...long], { cwd: path('tables-cut') });
    const tables = (): number => {
      const place = path('tables-cut', 'deep/tables');
      return existsSync(place) ? readdirSync(place).length : 0;
    };
    await waitUntil(() => tables() > 0);
    running.process.kill('SIGINT');
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, tables())), 5);
    const { code } = await running.ended;
    clearInterval(watch);
    expect(code).toBe(130);
    // The states alone fill seven; a command that is deaf while it writes begins them all.
    expect(most).toBeLessThan(4);
    expect(listFolder(path('tables-cut'))).toEqual([]);
  });

  it('ends at once at the second Ctrl-C, and leaves nothing', async () => {
    const running = await startLong('twice');
    process.kill(workerOf(running), 'SIGSTOP');
    running.process.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 200));
    running.process.kill('SIGINT');
    const { code, err } = await running.ended;
    expect({ code, last: lastLines(err, 1) }).toEqual({
      code: 130,
      last: 'tempograd: cancelled; nothing was written\n',
    });
    expect(listFolder(path('twice'))).toEqual(['run.npz']);
  });

  it('in matrix products survives ten cancels in a row, and signals that are not for it', async () => {
    mkdirSync(path('products'));
    const wide = [
      '--steps',
      '4000',
      '--batch',
      '64',
      '--mode',
      'final',
      '--engine',
      'tensorflow',
      '--progress',
      'json',
    ];
    // The worker alone, with this test in the place of its parent.
    const worker = spawn(
      process.execPath,
      [join(ROOT, 'out/main/cli.js'), 'analyze', VANISHING, ...wide, '--out', 'run.npz'],
      {
        cwd: path('products'),
        env: { ...process.env, TEMPOGRAD_SUPERVISED: '1', TF_CPP_MIN_LOG_LEVEL: '2' },
        stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
      },
    );
    let said = '';
    worker.stdio[4]!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await waitUntil(() => said.includes('"kind":"final"'));
    for (let n = 0; n < 10; n++) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) worker.kill(signal);
    }
    const before = said.length;
    await waitUntil(() => said.length > before);
    for (let n = 0; n < 10; n++) worker.send('cancel');
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      worker.once('close', (...how) => resolve(how)),
    );
    expect({ code, signal, last: lastLines(said, 1) }).toEqual({
      code: 130,
      signal: null,
      last: 'tempograd: cancelled; what was computed is in run.partial.npz\n',
    });
    expect(listFolder(path('products'))).toEqual(['run.partial.npz']);
  });

  it('is engine/stopped with exit 4 when its worker is killed, and leaves nothing', async () => {
    const running = await startLong('killed');
    process.kill(workerOf(running), 'SIGKILL');
    const { code, err } = await running.ended;
    expect(code).toBe(4);
    expect(readFailure(lastLines(err, 2))).toMatchObject({
      code: 'engine/stopped',
      message: expect.stringMatching(/SIGKILL/) as string,
    });
    expect(listFolder(path('killed'))).toEqual(['run.npz']);
    expect(readFileSync(path('killed/run.npz'), 'utf8')).toBe(KEPT);
  });

  it('does not outlive its command, and leaves nothing', async () => {
    const running = await startLong('orphaned');
    const worker = workerOf(running);
    running.process.kill('SIGKILL');
    await waitUntil(() => listFolder(path('orphaned')).join() === 'run.npz');
    await waitUntil(() => spawnSync('ps', ['-p', String(worker)]).status !== 0);
  });
});
