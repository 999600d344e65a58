import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../src/readers/byte-source';
import { readNpy } from '../../../src/readers/containers/npy';
import { DEFAULT_LIMITS } from '../../../src/readers/limits';
import type { Tensor } from '../../../src/core/tensor';

/** An `.npy` file with a header as it is given, however wrong. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = Buffer.from(`${header}\n`);
  const prefix = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([prefix, length, text, data]);
}

function describeArray(descr: string, shape: string, fortran = 'False'): string {
  return `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
}

function read(header: string, data: ArrayBufferView, version = 1): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return readNpy(memorySource(npy(header, bytes, version)), 'x.npy', DEFAULT_LIMITS);
}

describe('readNpy', () => {
  it.each<[string, ArrayBufferView, number[]]>([
    ["'<f8'", Float64Array.of(1.5, -2), [1.5, -2]],
    ["'<f4'", Float32Array.of(1.5, -2), [1.5, -2]],
    ["'<f2'", Uint16Array.of(0x3e00, 0xc000), [1.5, -2]],
    ["'>f4'", Uint8Array.of(0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0), [1.5, -2]],
    ["'|b1'", Uint8Array.of(1, 0), [1, 0]],
    ["'|u1'", Uint8Array.of(255, 0), [255, 0]],
    ["'|i1'", Int8Array.of(-3, 4), [-3, 4]],
    ["'<u2'", Uint16Array.of(65535, 1), [65535, 1]],
    ["'<i4'", Int32Array.of(-70000, 1), [-70000, 1]],
    ["'<u4'", Uint32Array.of(4294967295, 1), [4294967295, 1]],
    ["'<i8'", BigInt64Array.of(-5n, 3n), [-5, 3]],
    ["'<i8'", BigInt64Array.of(-5n, 2n ** 40n), [-5, 2 ** 40]],
    ["'<u8'", BigUint64Array.of(5n, 3n), [5, 3]],
  ])('reads %s', (descr, data, values) => {
    const tensor = read(describeArray(descr, '(2,)'), data);
    expect(tensor.shape).toEqual([2]);
    expect([...tensor.data]).toEqual(values);
  });

  it('gives small integers as int32, so that they can be ids', () => {
    expect(read(describeArray("'<i8'", '(2,)'), BigInt64Array.of(-5n, 3n)).data).toBeInstanceOf(Int32Array);
    expect(read(describeArray("'<i8'", '(1,)'), BigInt64Array.of(2n ** 40n)).data).toBeInstanceOf(Float64Array);
  });

  it('turns Fortran order into C order', () => {
    const { shape, data } = read(describeArray("'<f4'", '(2, 3)', 'True'), Float32Array.of(1, 4, 2, 5, 3, 6));
    expect(shape).toEqual([2, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('reads headers of the versions 2 and 3, scalars and empty arrays', () => {
    expect([...read(describeArray("'<f4'", '(1, 1)'), Float32Array.of(7), 2).data]).toEqual([7]);
    expect([...read(describeArray("'<f4'", '(1, 1)'), Float32Array.of(7), 3).data]).toEqual([7]);
    expect(read(describeArray("'<f4'", '()'), Float32Array.of(7)).shape).toEqual([]);
    expect(read(describeArray("'<f4'", '(0, 3)'), new Float32Array(0)).data.length).toBe(0);
  });

  it.each([
    ['Python objects', describeArray("'|O'", '(1,)')],
    ['complex numbers', describeArray("'<c8'", '(1,)')],
    ['texts', describeArray("'<U4'", '(1,)')],
    ['records', describeArray("[('a', '<f4')]", '(1,)')],
    ['code in the shape', describeArray("'<f4'", '(__import__("os"),)')],
    ['code instead of a header', 'exec("1")'],
    ['a negative size', describeArray("'<f4'", '(-1,)')],
    ['more than it holds', describeArray("'<f4'", '(3,)')],
    ['fewer than it holds', describeArray("'<f4'", '(1,)')],
    ['an unknown width', describeArray("'<f3'", '(2,)')],
  ])('refuses %s', (_what, header) => {
    expect(() => read(header, Float32Array.of(1, 2))).toThrow(expect.objectContaining({ code: 'input/not-readable' }));
  });

  it('refuses a shape that no memory holds before it takes any', () => {
    const header = describeArray("'<f4'", '(1099511627776, 4)');
    expect(() => read(header, Float32Array.of(1))).toThrow(expect.objectContaining({ code: 'reader/limit-exceeded' }));
  });

  it('refuses a file cut anywhere', () => {
    const whole = npy(describeArray("'<f4'", '(2,)'), new Uint8Array(8));
    for (let size = 8; size < whole.length; size++) {
      expect(() => readNpy(memorySource(whole.subarray(0, size)), 'x', DEFAULT_LIMITS)).toThrow(
        expect.objectContaining({ code: 'input/not-readable' }),
      );
    }
  });
});
