/** Passes of painting, one at a time, that leave most of the time to everything else while data stream in. */
import { onScopeDispose, ref, type Ref } from 'vue';

/** Share of the time that painting may take while data stream in. */
const PAINTING_SHARE = 0.25;

/** Passes that are asked for. */
export interface PacedPasses {
  /** Whether a pass is on its way. */
  readonly isBusy: Readonly<Ref<boolean>>;
  /** False once the scope has ended. */
  readonly isWanted: () => boolean;
  /** Asks for a pass at once; while one runs, for another one when its turn has come. */
  readonly passNow: () => void;
  /** Asks for a pass when its turn has come. */
  readonly passInTurn: () => void;
}

/**
 * Passes until the scope ends.
 *
 * @param pass - One of them.
 */
export function usePacedPasses(pass: () => Promise<void>): PacedPasses {
  const isBusy = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isPassing = false;
  let isStale = false;
  let isGone = false;
  let earliest = 0;

  async function run(): Promise<void> {
    isPassing = true;
    isStale = false;
    const start = performance.now();
    try {
      await pass();
    } finally {
      const end = performance.now();
      earliest = end + (end - start) * (1 / PAINTING_SHARE - 1);
      isPassing = false;
    }
    if (isStale) schedule(earliest - performance.now());
    else isBusy.value = false;
  }

  function schedule(wait: number): void {
    if (isGone) return;
    isBusy.value = true;
    isStale = true;
    if (isPassing) return;
    clearTimeout(timer);
    timer = setTimeout(() => void run(), Math.max(0, wait));
  }

  onScopeDispose(() => {
    isGone = true;
    clearTimeout(timer);
  });

  return {
    isBusy,
    isWanted: () => !isGone,
    passNow: () => {
      schedule(0);
    },
    passInTurn: () => {
      schedule(earliest - performance.now());
    },
  };
}
