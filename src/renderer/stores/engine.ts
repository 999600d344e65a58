/** How the engine process does. */
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { EngineStatus } from '../../shared/contract';
import { request } from '../api';
import { useProblem } from './problem';

/** The engine's status. */
export const useEngine = defineStore('engine', () => {
  const status = shallowRef<EngineStatus>({ state: 'not-started', best: null, restarts: 0, cores: 0 });

  /** Takes a status as main tells it. */
  function accept(next: EngineStatus): void {
    status.value = next;
    if (next.state === 'ready' || next.state === 'busy') useProblem().dismiss('engine');
  }

  /** Asks for the status. */
  async function load(): Promise<void> {
    const reply = await request('engineStatus', {});
    if (reply.ok) accept(reply.value);
  }

  /** Kills the engine process and starts another. */
  async function restart(): Promise<void> {
    const reply = await request('restartEngine', {});
    if (reply.ok) accept(reply.value);
    else useProblem().show(reply.error, 'engine');
  }

  return { status, accept, load, restart };
});
