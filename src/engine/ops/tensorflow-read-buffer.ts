/**
 * A host array that TensorFlow writes into: fresh memory fills ten times slower than warm memory is copied.
 *
 * TensorFlow shares the memory of an uploaded array when its address is a multiple of 64 bytes (it copies otherwise),
 * and the kernel InplaceUpdate writes to its argument by contract. An address cannot be seen from here, so the four
 * possible offsets are tried until a number that was written shows up in the array.
 */
import type { ReadBuffer, Value } from '../ops';
import type { TensorflowBinding } from './tensorflow-binding';

/** Float32 numbers in the alignment that TensorFlow asks for, and in that of an array buffer. */
const ALIGNMENT = 16;
const OFFSET_STEP = 4;

/** Copies `value` over rows of the tensor `target`. */
function update(binding: TensorflowBinding, target: number, firstRow: number, value: number, count: number): void {
  const rows = Int32Array.from({ length: count }, (_, row) => firstRow + row);
  const indices = binding.createTensor([count], binding.TF_INT32, rows);
  try {
    for (const made of binding.executeOp('InplaceUpdate', [], [target, indices, value], 1)) {
      binding.deleteTensor(made.id);
    }
  } finally {
    binding.deleteTensor(indices);
  }
}

/** Whether TensorFlow shares the array: a number written to its last row can be seen. */
function isShared(binding: TensorflowBinding, target: number, array: Float32Array, rowLength: number): boolean {
  const rows = array.length / rowLength;
  const probe = binding.createTensor([1, rowLength], binding.TF_FLOAT, new Float32Array(rowLength).fill(1));
  try {
    update(binding, target, rows - 1, probe, 1);
    return array[array.length - 1] === 1;
  } finally {
    binding.deleteTensor(probe);
  }
}

/**
 * A read buffer, or null where no offset makes TensorFlow share the memory.
 *
 * @param binding - The addon.
 * @param rows - Number of rows.
 * @param rowLength - Numbers in a row.
 * @param idOf - The handle of a live value.
 */
export function openReadBuffer(
  binding: TensorflowBinding,
  rows: number,
  rowLength: number,
  idOf: (value: Value) => number,
): ReadBuffer | null {
  const length = rows * rowLength;
  const memory = new Float32Array(length + ALIGNMENT);
  for (let offset = 0; offset < ALIGNMENT; offset += OFFSET_STEP) {
    const array = memory.subarray(offset, offset + length);
    const target = binding.createTensor([rows, rowLength], binding.TF_FLOAT, array);
    if (!isShared(binding, target, array, rowLength)) {
      binding.deleteTensor(target);
      continue;
    }
    return {
      array,
      put(value, firstRow) {
        const count = value.shape.reduce((product, size) => product * size, 1) / rowLength;
        const shape = binding.createTensor([2], binding.TF_INT32, Int32Array.of(count, rowLength));
        const [flat] = binding.executeOp('Reshape', [], [idOf(value), shape], 1);
        binding.deleteTensor(shape);
        try {
          update(binding, target, firstRow, flat!.id, count);
        } finally {
          binding.deleteTensor(flat!.id);
        }
      },
      dispose() {
        binding.deleteTensor(target);
      },
    };
  }
  return null;
}
