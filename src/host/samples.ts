/**
 * The sample models that ship with the program.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TempogradError } from '../core/errors';
import type { SampleInfo } from '../shared/contract';

const catalogueSchema = z.object({
  samples: z.array(
    z.object({
      file: z.string().regex(/^[\w.-]+$/),
      title: z.string(),
      description: z.string(),
      input: z
        .string()
        .regex(/^[\w.-]+$/)
        .nullish(),
    }),
  ),
});

/** The samples in the order in which they are shown. */
export interface SampleCatalogue {
  readonly samples: readonly SampleInfo[];
  /**
   * Absolute path of a sample's model.
   *
   * @throws TempogradError `reader/not-readable` when there is no such sample.
   */
  pathOf(name: string): string;
}

/**
 * The samples of a folder.
 *
 * @param folder - Absolute path of the folder with `samples.json`.
 * @throws Error when the catalogue is damaged: a broken installation.
 */
export function loadSamples(folder: string): SampleCatalogue {
  const { samples } = catalogueSchema.parse(JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8')));
  const files = new Map(samples.map((sample) => [nameOf(sample.file), sample.file]));
  return {
    samples: samples.map(({ file, title, description, input }) => ({
      name: nameOf(file),
      title,
      description,
      data: input ? join(folder, input) : null,
    })),
    pathOf(name) {
      const file = files.get(name);
      if (file !== undefined) return join(folder, file);
      throw new TempogradError('reader/not-readable', `There is no sample "${name}"`, {
        remedy: `Choose one of: ${[...files.keys()].join(', ')}.`,
      });
    },
  };
}

function nameOf(file: string): string {
  return file.replace(/\.[^.]+$/, '');
}
