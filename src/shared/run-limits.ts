/** Bounds of a run; apart from its schemas, whose library takes longer to load than a command takes to start. */

/** The largest T and B that `--steps` and `--batch` take. */
export const MAX_STEPS_OR_BATCH = 1_000_000;
