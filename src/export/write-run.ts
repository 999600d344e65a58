/**
 * A run written to the files that were asked for, while it is computed; the same for the command and the window.
 *
 * Nothing appears under its name before the run is through. A cancelled run keeps its arrays as `<name>.partial.npz`;
 * a failed one leaves nothing.
 */
import { TempogradError } from '../core/errors';
import type { AnalysisStep } from '../shared/analysis-step';
import type { OpenSink } from '../shared/file-sink';
import type { RunEvent, StartedEvent } from '../shared/run';
import { addToRecord, emptyRecord, type RunRecord } from '../shared/run-record';
import { arrayBytes, declareArrays, isWholePairsArray } from './array-declarations';
import { ROWS_PER_SLICE, RunCsv } from './csv';
import { PartArrays, partBytes, type PartStarted } from './part-arrays';
import { RunArrays } from './run-arrays';

/** Where the arrays of a run go; null = nowhere. */
export interface ArrayTargets {
  /** An `.npz`. */
  readonly npz: string | null;
  /** A folder of CSV files. */
  readonly csvFolder: string | null;
  /** Of a part of a run: what decides its numbers, by name, so that parts of different runs are not put together. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** What writing needs from the machine. */
export interface WriteHost {
  readonly openSink: OpenSink;
  /** Makes a folder and those above it. */
  makeFolder(path: string): void;
  /** Joins a folder and a name. */
  join(folder: string, name: string): string;
  /** Bytes free where a file would go; null where that cannot be told. */
  freeBytes(path: string): number | null;
  /** Whether a name belongs to an input or another output, so that no file may take its place; none does when left out. */
  isTaken?(path: string): boolean;
  /**
   * Lets other events through between slices of long writing; gives false when the run was cancelled and the rest of a
   * step need not be written. Writing goes on without a pause when left out.
   */
  pause?(): Promise<boolean>;
  /** Told how much of the tables is written, 0 to 1: most of their time goes into writing, not computing. */
  onTableProgress?(fraction: number): void;
}

/** What became of a run. */
export interface WrittenRun {
  readonly record: RunRecord;
  /** Files that exist now because of this run. */
  readonly files: readonly string[];
}

/**
 * Consumes a run, writes its arrays, and gives its record.
 *
 * @param steps - The run.
 * @param targets - Where to.
 * @param host - The machine.
 * @param onEvent - Told of every event, for progress.
 * @throws TempogradError what the run throws; `output/not-writable`; `output/too-large` when the disk has no room.
 */
export async function writeRun(
  steps: AsyncIterable<AnalysisStep>,
  targets: ArrayTargets,
  host: WriteHost,
  onEvent: (event: RunEvent) => void = () => undefined,
): Promise<WrittenRun> {
  const record = emptyRecord();
  const files: string[] = [];
  let arrays: RunArrays | PartArrays | null = null;
  let csv: RunCsv | null = null;
  let slices = 0;
  let expectedSlices = 1;
  let abort: () => Promise<void> = () => Promise.resolve();
  try {
    for await (const step of steps) {
      addToRecord(record, step.event);
      if (step.event.kind === 'started') {
        const started = step.event;
        if (targets.npz !== null) {
          const isPart = hasPart(started);
          checkRoom(targets.npz, isPart ? partBytes(started) : arrayBytes(declareArrays(started)), host);
          const sink = host.openSink(targets.npz);
          abort = () => sink.abort();
          arrays = isPart ? new PartArrays(sink, started, factsOf(targets, started)) : new RunArrays(sink, started);
        }
        if (targets.csvFolder !== null) {
          const folder = targets.csvFolder;
          host.makeFolder(folder);
          expectedSlices = tableRows(started) / ROWS_PER_SLICE;
          csv = new RunCsv((name) => host.openSink(host.join(folder, name)), started);
        }
      }
      arrays?.add(step);
      // A step that is written in part only is the last before `cancelled`.
      for (const _slice of csv?.add(step) ?? []) {
        host.onTableProgress?.(Math.min(1, ++slices / expectedSlices));
        if ((await host.pause?.()) === false) break;
      }
      onEvent(step.event);
    }
    if (record.isCancelled) {
      await csv?.abort();
      // A part is whole or not at all: there is nothing that half of one could be put together with.
      if (arrays instanceof RunArrays && record.states && targets.npz !== null) {
        const partial = partialName(targets.npz, host);
        await arrays.closePartial(partial);
        files.push(partial);
      } else await abort();
      return { record, files };
    }
    await arrays?.close();
    await csv?.close();
    files.push(...[targets.npz, targets.csvFolder].filter((path) => path !== null));
    return { record, files };
  } catch (error) {
    await abort();
    await csv?.abort();
    throw error;
  }
}

function hasPart(started: StartedEvent): started is PartStarted {
  return started.part !== undefined;
}

/** What the caller knows of the run, and what became clear when it started. */
function factsOf({ facts = {} }: ArrayTargets, started: PartStarted): Readonly<Record<string, string>> {
  const { engine, layer, batch, steps, modes, part } = started;
  return {
    ...facts,
    layer,
    modes: modes.join(','),
    sequences: String(batch),
    steps: String(steps),
    engine: `${engine.name} ${engine.version}`,
    'bytes of a piece (--max-memory)': String(part.chunkBytes),
    'tiles of pairs (--max-memory)': part.tiles.map(({ total }) => total).join(' and '),
  };
}

/** Rows of all tables together, nearly: a scale is a column of its own, and pairs leave out what is not after and whole blocks. */
function tableRows(started: StartedEvent): number {
  const shapes = declareArrays(started).filter(({ name }) => !name.startsWith('scale_') && !isWholePairsArray(name));
  return shapes.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** The name of what is kept of a cancelled run; never that of an input. */
function partialName(path: string, host: WriteHost): string {
  const stem = path.replace(/\.npz$/i, '');
  let name = `${stem}.partial.npz`;
  for (let number = 2; host.isTaken?.(name); number++) name = `${stem}.partial-${number}.npz`;
  return name;
}

/**
 * Nothing, where the disk has room.
 *
 * @param path - Where a file is to go.
 * @param bytes - What it will take.
 * @param host - The machine.
 * @throws TempogradError `output/too-large`.
 */
export function checkRoom(path: string, bytes: number, host: Pick<WriteHost, 'freeBytes'>): void {
  const free = host.freeBytes(path);
  if (free === null || bytes <= free) return;
  throw new TempogradError('output/too-large', `${path} would take ${bytes} bytes, the disk has ${free} free`, {
    remedy: 'Choose a disk with more room, or ask for fewer modes, steps or sequences.',
    details: { path, bytes, free },
  });
}
