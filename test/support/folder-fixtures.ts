/** Fixtures whose model is a file with others beside it, opened as the program opens them: from disk, by ranges. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecurrentModel } from '../../src/core/model';
import { openFileSource } from '../../src/host/file-source';
import { neighboursOf } from '../../src/host/open-beside';
import { readModel, type ReadOptions } from '../../src/readers/read-model';
import { choicesOf, loadFixtureFolder, type KerasFixture } from './keras-fixtures';

const ROOT = fileURLToPath(new URL('../fixtures', import.meta.url));

/** Names of all fixtures below some folders, as `folder/name`. */
export function folderFixtureNames(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => existsSync(join(ROOT, folder, name, 'fixture.json')))
      .sort()
      .map((name) => `${folder}/${name}`),
  );
}

/** A fixture by `folder/name`. */
export function loadFolderFixture(path: string): KerasFixture {
  return loadFixtureFolder(join(ROOT, path));
}

/** The model of a fixture, read with the options that it names and all that lies beside it. */
export async function readFolderModel(
  fixture: KerasFixture,
  onTensor: ReadOptions['onTensor'] = null,
  measured: ReadOptions['measured'] = null,
): Promise<RecurrentModel> {
  const { modelPath } = fixture;
  const source = openFileSource(modelPath);
  const neighbours = neighboursOf(modelPath);
  try {
    return await readModel(source, basename(modelPath), {
      ...choicesOf(fixture),
      onTensor,
      measured,
      openBeside: (path) => neighbours.open(path),
    });
  } finally {
    source.close();
    neighbours.close();
  }
}
