/** How the time of a mode grows along one axis, as it was measured. */

/** One measured point. */
export interface GrowthPoint {
  readonly value: number;
  readonly seconds: number;
  /** Of the best sgemm of the run, useful FLOP. */
  readonly ratio: number | null;
  readonly residentBytes: number;
  readonly isVoid: boolean;
}

/** The cost of one mode along one axis. */
export interface GrowthCurve {
  readonly axis: 'T' | 'H';
  readonly mode: 'final' | 'pairs';
  readonly points: readonly GrowthPoint[];
  /** Values that were left out for want of time. */
  readonly leftOut: readonly number[];
  /** Least-squares slope of ln seconds by ln value; NaN below two points. */
  readonly exponent: number;
  /** What it may be; null where nothing is stated. */
  readonly most: number | null;
}
