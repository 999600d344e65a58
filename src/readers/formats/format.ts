/**
 * What a model format is: it says whether a file is one of its own, and reads it.
 *
 * A new format is one file beside this one and one line in `read-model.ts`.
 */
import type { RecurrentModel } from '../../core/model';
import type { ByteSource } from '../byte-source';
import type { ZipArchive } from '../containers/zip';
import type { Detection } from '../detect';
import type { JsonValue } from '../json';
import type { FormatOptions } from '../reading';

/** A file as every format sees it: opened once, its container known. */
export interface ModelFile {
  readonly source: ByteSource;
  /** For messages, and for the names of files beside it. */
  readonly name: string;
  readonly container: Detection;
  /** The open archive of a ZIP file, else null. */
  readonly archive: ZipArchive | null;
  /** The value of a JSON text, else null. */
  readonly json: JsonValue;
}

/** One model format. */
export interface ModelFormat {
  /** Written into `RecurrentModel.format`, where the format has one name only. */
  readonly id: string;
  /** Whether the file is of this format; decided by content, cheap, and never an error. */
  matches(file: ModelFile): boolean;
  /**
   * The model that the file holds.
   *
   * @throws TempogradError of the reader family; a model without a recurrent layer is none.
   */
  read(file: ModelFile, options: FormatOptions): Promise<RecurrentModel>;
}
