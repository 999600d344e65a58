/**
 * The real work of the engine process: analysis and export, as the command does them.
 */
import { analyze, planRun, type AnalysisOrder } from '../analysis/analyze';
import type { KeptRun } from '../analysis/kept-run';
import { TempogradError } from '../core/errors';
import type { EngineInfo } from '../core/summary';
import { availableEngines, loadEngine } from '../engine/load-engine';
import { defaultMaxMemoryBytes } from '../host/memory-limit';
import { unitsOf, type RunEvent } from '../shared/run';
import type { EngineCalls } from './engine-messages';
import type { EngineWork, RunMaterial } from './engine-session';
import { exportRun } from './export-run';
import { JacobianKeeper, SliceCollector, partOf } from './jacobian-keeper';
import { weightMatrix } from './weight-matrix';

/** The last run, for questions about it. */
interface LastRun {
  readonly material: RunMaterial;
  readonly engine: EngineInfo;
  readonly keeper: JacobianKeeper;
  /** The layer with its states, once a run with pairs went through; null with respect to the model's input. */
  kept: KeptRun | null;
  /** Whether nothing more can be made beforehand for its blocks. */
  isPrepared: boolean;
}

/**
 * The work, with the last run that it remembers.
 *
 * @param version - Version of this program, for summaries.
 */
export function makeEngineWork(version: string): EngineWork {
  let last: LastRun | null = null;

  function forget(): void {
    last?.kept?.dispose();
    last = null;
  }

  async function* run(material: RunMaterial, runId: number, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    forget();
    const keep = (kept: KeptRun): void => {
      if (last) last.kept = kept;
      else kept.dispose();
    };
    // The map of all pairs is where single ones are asked for; of other runs nothing needs to be held.
    const kept = material.request.modes.includes('pairs') ? keep : undefined;
    for await (const step of analyze(orderOf(material, version), signal, kept)) {
      const { event } = step;
      if (event.kind === 'started') {
        last = {
          material,
          engine: event.engine,
          keeper: new JacobianKeeper(runId, event),
          kept: null,
          isPrepared: false,
        };
      }
      if (step.chunk?.mode === 'diagonal') last?.keeper.add(step.chunk);
      yield event;
    }
  }

  return {
    best: findBestEngine,
    estimate: (material) => planRun(orderOf(material, version)).estimate,
    analyze: run,
    weightMatrix: ({ model }, input) => weightMatrix(model, input),
    async jacobianSlice(input, signal) {
      if (last?.keeper.runId !== input.runId) throw noLongerKept(input.runId);
      const { keeper, material, engine } = last;
      checkSlice(input, keeper);
      if (keeper.isWhole) return keeper.slice(input);
      const request = { ...material.request, modes: ['diagonal' as const], engine: engine.name };
      const collector = new SliceCollector(keeper.shape, input);
      for await (const { chunk } of analyze(orderOf({ ...material, request }, version), signal)) {
        if (chunk?.mode === 'diagonal') collector.add(chunk);
      }
      return signal.aborted ? null : collector.slice;
    },
    async block({ runId, direction, hasState = false, ...place }, signal) {
      if (last?.keeper.runId !== runId) throw noLongerKept(runId);
      if (!last.kept) throw noBlocks(runId);
      if (!partOf(last.keeper.shape, direction)) throw noDirection(runId, direction);
      try {
        return await last.kept.block(direction, place, hasState, signal);
      } catch (error) {
        if (signal.aborted) return null;
        throw error;
      }
    },
    hasPreparation: () => last !== null && last.kept !== null && !last.isPrepared,
    async prepareBlocks(signal) {
      const run = last;
      try {
        await run?.kept?.prepare(signal);
      } catch {
        // Aborted, it goes on at the next pause. Where it fails otherwise, blocks are pushed the whole way, and say so.
        if (signal.aborted) return;
      }
      if (run) run.isPrepared = true;
    },
    forget,
    exportRun: (material, order, signal, onProgress) =>
      exportRun(analyze(orderOf(material, version), signal), signal, material, order, onProgress),
  };
}

function orderOf({ model, file, request, data }: RunMaterial, version: string): AnalysisOrder {
  const source = { format: model.format, producer: model.producer, ...file };
  const limited = { ...request, maxMemoryBytes: request.maxMemoryBytes ?? defaultMaxMemoryBytes() };
  return { model, source, version, request: limited, data };
}

/** The best engine that does load, and why none better. */
async function findBestEngine(): Promise<EngineInfo> {
  const missing: string[] = [];
  for (const { name, isPresent, why } of availableEngines()) {
    if (!isPresent) {
      missing.push(`${name} is missing: ${why}`);
      continue;
    }
    try {
      const { version } = await loadEngine(name);
      return { name, version, reason: ['the best engine present', ...missing].join('; ') };
    } catch (error) {
      missing.push(`${name} does not load: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new TempogradError('engine/native-library-missing', `no engine loads: ${missing.join('; ')}`);
}

function checkSlice(input: EngineCalls['jacobianSlice'][0], { shape }: JacobianKeeper): void {
  const part = partOf(shape, input.direction);
  const isThere =
    part !== undefined &&
    input.index < (input.axis === 'unit' ? unitsOf(part, input.state) : shape.inputDim) &&
    input.sequence < shape.batch &&
    (input.state === 'h' || part.hasCell);
  if (isThere) return;
  throw new TempogradError('usage/bad-option', `The run has no such slice: ${JSON.stringify(input)}`, {
    remedy: 'Choose a unit, feature, sequence and state that the run has.',
  });
}

function noBlocks(runId: number): TempogradError {
  return new TempogradError('usage/bad-option', `Run ${runId} has no blocks of pairs`, {
    remedy: 'Run the layer with the mode pairs, with respect to its own input.',
  });
}

function noDirection(runId: number, direction: string): TempogradError {
  return new TempogradError('usage/bad-option', `Run ${runId} has no ${direction} recurrence`, {
    remedy: 'Choose a direction that the layer has.',
  });
}

function noLongerKept(runId: number): TempogradError {
  return new TempogradError('usage/bad-option', `The Jacobians of run ${runId} are no longer kept`, {
    remedy: 'Run the layer again; signed values are kept for the last run.',
  });
}
