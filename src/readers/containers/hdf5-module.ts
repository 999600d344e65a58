/**
 * One instance of the HDF5 library with a file system of its own that holds exactly one read-only file.
 *
 * The library is WebAssembly behind h5wasm; its low-level functions are called directly, because h5wasm's own classes
 * keep one instance for the whole program, and after a failure an instance cannot be trusted: its file stays open
 * inside. Any further file that the library tries to open (external storage, external links, virtual datasets) is
 * refused and remembered in `outside`. Without the throwing error handler damaged data would come back as numbers.
 */
import type { ByteSource } from '../byte-source';

/** The shape, element type and storage of an attribute or dataset, as h5wasm tells it. */
export interface Hdf5Metadata {
  /** null for an empty dataspace. */
  readonly shape: readonly number[] | null;
  /** HDF5 class: 0 integer, 1 float, 3 string, 5 opaque, 8 enumeration. */
  readonly type: number;
  /** Bytes of one element. */
  readonly size: number;
  readonly signed: boolean;
  readonly total_size: number;
  readonly vlen: boolean;
  readonly cset?: number;
  /** Shape of a chunk; null for a dataset in one piece. */
  readonly chunks?: readonly number[] | null;
  readonly virtual_sources?: readonly { readonly file_name: string; readonly dset_name: string }[];
}

/** The functions of h5wasm's module that are used here. */
export interface Hdf5Library {
  open(path: string, mode: number, trackOrder: boolean, lowest: number, highest: number): bigint;
  activate_throwing_error_handler(): number;
  get_type(file: bigint, path: string): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_symbolic_link(file: bigint, path: string): string | null;
  get_external_link(file: bigint, path: string): { readonly filename?: string; readonly obj_path?: string };
  create_object_reference(file: bigint, path: string): ArrayLike<number>;
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): Hdf5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  reclaim_vlen_memory(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata;
  get_dataset_filters(file: bigint, path: string): readonly { readonly id: number; readonly name: string }[];
  get_dataset_data(
    file: bigint,
    path: string,
    count: readonly bigint[] | null,
    offset: readonly bigint[] | null,
    strides: readonly bigint[] | null,
    pointer: bigint,
  ): number;
  UTF8ToString(pointer: number): string;
  readonly HEAPU8: Uint8Array;
  readonly FS: EmscriptenFileSystem;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}

interface FileNode {
  node_ops: object;
  stream_ops: object;
  size: number;
  readonly id: number;
  readonly mode: number;
}

interface EmscriptenFileSystem {
  open: (path: string, flags: number | string, mode?: number) => object;
  mkdir(path: string): void;
  mount(type: object, options: object, path: string): void;
  createNode(parent: FileNode | null, name: string, mode: number, device: number): FileNode;
  readonly ErrnoError: new (errno: number) => Error;
}

/** An instance with the file open in it. */
export interface Hdf5Session {
  readonly library: Hdf5Library;
  readonly file: bigint;
  /** The first other file that the library was led to; null while it kept to its own. */
  outside(): string | null;
  /**
   * What a task gives, the library kept from taking more bytes from the file at once than so many: it takes as much memory
   * as an attribute says before anyone can ask how much that is.
   */
  withinReads<T>(maxBytes: number, task: () => T): T;
  /** Bytes that the library wanted at once and was refused; 0 for none. */
  refusedBytes(): number;
}

/** What the library may take at once, and what it wanted beyond. */
interface ReadGate {
  maxBytes: number;
  refused: number;
}

const READ_ONLY = 0;
const DIRECTORY_MODE = 0o40555;
const FILE_MODE = 0o100444;
const NO_SUCH_FILE = 44;
const READ_ONLY_FILE_SYSTEM = 69;
const INVALID = 28;
/** O_CREAT and O_EXCL. */
const NEW_FILE = 0o300;
/** Copied into the library at a time. */
const PIECE_BYTES = 1 << 20;
const FOLDER = '/model';
const FILE_NAME = 'file.h5';

type Factory = (options: object) => Promise<Hdf5Library>;

/**
 * A fresh instance of the library with `source` open in it.
 *
 * @param source - The file; read on demand, never as a whole.
 * @throws Error as the library words it, when the file cannot be opened.
 */
export async function openSession(source: ByteSource): Promise<Hdf5Session> {
  const createLibrary = await loadFactory();
  const silent = (): undefined => undefined;
  const library = await createLibrary({ noInitialRun: true, print: silent, printErr: silent });
  const gate: ReadGate = { maxBytes: Infinity, refused: 0 };
  mountOneFile(library.FS, source, gate);
  library.activate_throwing_error_handler();
  const file = library.open(`${FOLDER}/${FILE_NAME}`, READ_ONLY, false, -1, -1);
  let outside: string | null = null;
  const openFile = library.FS.open;
  library.FS.open = (path, flags, mode) => {
    // The error handler writes its report into a new temporary file; nothing that a model names is ever new.
    if (typeof flags === 'number' && (flags & NEW_FILE) === NEW_FILE) return openFile(path, flags, mode);
    outside ??= path;
    throw new library.FS.ErrnoError(NO_SUCH_FILE);
  };
  return {
    library,
    file,
    outside: () => outside,
    withinReads: (maxBytes, task) => {
      gate.maxBytes = maxBytes;
      const result = task();
      gate.maxBytes = Infinity;
      return result;
    },
    refusedBytes: () => gate.refused,
  };
}

/** h5wasm's module factory; its package exports only the wrapper, so that it is found beside that. */
async function loadFactory(): Promise<Factory> {
  const url = new URL('./hdf5_util.js', import.meta.resolve('h5wasm'));
  const module = (await import(/* @vite-ignore */ url.href)) as { readonly default: Factory };
  return module.default;
}

function mountOneFile(fileSystem: EmscriptenFileSystem, source: ByteSource, gate: ReadGate): void {
  const fail = (errno: number): never => {
    throw new fileSystem.ErrnoError(errno);
  };
  const date = new Date(0);
  const { size } = source;
  // The library's handlers keep an instance as long as the process lives; the file, which may be in memory, must not stay.
  const bytes = new WeakRef(source);
  const nodeOperations = {
    getattr: (node: FileNode) => ({
      dev: 1,
      ino: node.id,
      mode: node.mode,
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      size: node.size,
      atime: date,
      mtime: date,
      ctime: date,
      blksize: 4096,
      blocks: Math.ceil(node.size / 4096),
    }),
    setattr: () => fail(READ_ONLY_FILE_SYSTEM),
    lookup: () => fail(NO_SUCH_FILE),
    mknod: () => fail(READ_ONLY_FILE_SYSTEM),
    readdir: () => ['.', '..', FILE_NAME],
  };
  const streamOperations = {
    read(_stream: object, heap: Uint8Array, offset: number, length: number, position: number): number {
      const count = Math.max(0, Math.min(length, size - position));
      if (count > gate.maxBytes) {
        gate.refused = count;
        return fail(INVALID);
      }
      for (let done = 0; done < count; done += PIECE_BYTES) {
        const piece = Math.min(PIECE_BYTES, count - done);
        heap.set((bytes.deref() ?? fail(NO_SUCH_FILE)).read(position + done, piece), offset + done);
      }
      return count;
    },
    write: () => fail(READ_ONLY_FILE_SYSTEM),
    llseek(stream: { readonly position: number }, offset: number, whence: number): number {
      const base = whence === 1 ? stream.position : whence === 2 ? size : 0;
      return base + offset < 0 ? fail(INVALID) : base + offset;
    },
  };
  const type = {
    mount(): FileNode {
      const root = fileSystem.createNode(null, '/', DIRECTORY_MODE, 0);
      const file = fileSystem.createNode(root, FILE_NAME, FILE_MODE, 0);
      for (const node of [root, file]) {
        node.node_ops = nodeOperations;
        node.stream_ops = streamOperations;
      }
      root.size = 4096;
      file.size = size;
      return root;
    },
  };
  fileSystem.mkdir(FOLDER);
  fileSystem.mount(type, {}, FOLDER);
}
