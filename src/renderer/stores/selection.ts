/** The one selection that all views share: view, layer, direction, state, sequence, timestep, unit, feature, pair of steps. */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { Direction, StateName } from '../../core/jacobian';

/** The views that exist, in the order of their tabs. */
export const VIEWS = ['verdict', 'flow', 'steps', 'states', 'weights'] as const;

/** One view. */
export type ViewName = (typeof VIEWS)[number];

/** What the pointer is on, as text for the status bar. */
export interface Readout {
  readonly place: string;
  readonly value: string;
}

/** The shared selection; indices count from 0. */
export const useSelection = defineStore('selection', () => {
  const view = ref<ViewName>('verdict');
  const layer = ref<string | null>(null);
  const direction = ref<Direction>('forward');
  const state = ref<StateName>('h');
  const sequence = ref(0);
  const step = ref<number | null>(null);
  const unit = ref(0);
  const feature = ref(0);
  /** The pair of steps whose Jacobian is looked at; null before one is chosen. */
  const pair = ref<{ readonly target: number; readonly source: number } | null>(null);
  const readout = ref<Readout | null>(null);

  /** Back to the first of everything, for another layer or model. */
  function reset(): void {
    direction.value = 'forward';
    state.value = 'h';
    sequence.value = 0;
    step.value = null;
    unit.value = 0;
    feature.value = 0;
    pair.value = null;
    readout.value = null;
  }

  /** Selects a layer; other indices start over because they count other things. */
  function selectLayer(name: string | null): void {
    if (layer.value === name) return;
    layer.value = name;
    reset();
  }

  return { view, layer, direction, state, sequence, step, unit, feature, pair, readout, reset, selectLayer };
});
