import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

/** Silences TensorFlow's start-up lines; everything else a test needs it says itself. */
const env = { TF_CPP_MIN_LOG_LEVEL: '2' };

/**
 * Three suites: `unit` (everything without a document), `window` (Vue components in a simulated document) and `e2e` (the built
 * program). Each file runs in a process of its own, because one process can load the native library only once.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/renderer/**', 'test/e2e/**', 'test/bench/**'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          env,
        },
      },
      {
        plugins: [vue()],
        test: {
          name: 'window',
          environment: 'happy-dom',
          include: ['test/renderer/**/*.test.ts'],
          testTimeout: 30_000,
          env,
        },
      },
      {
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          env,
        },
      },
    ],
  },
});
