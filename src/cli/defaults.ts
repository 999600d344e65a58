/**
 * What `analyze` takes where nothing is said; `doctor` prints it.
 */

/** T, B and seed of a random input. */
export const ANALYZE_DEFAULTS = { steps: 200, batch: 1, seed: 0 } as const;
