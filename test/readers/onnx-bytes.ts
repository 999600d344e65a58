/** ONNX files byte by byte, for what no exporter writes. Field numbers: onnx.proto. */

/** A varint. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

/** A field of bytes. */
export function bytesField(field: number, content: Buffer | string): Buffer {
  const body = Buffer.from(content as string);
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

/** A field of an integer. */
export function intField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** A tensor of float32, or of int64 where the numbers are given as `ints`. */
export function tensor(
  name: string,
  shape: readonly number[],
  floats: readonly number[],
  ints?: readonly number[],
): Buffer {
  const dims = shape.map((size) => intField(1, size));
  const numbers = ints
    ? Buffer.from(BigInt64Array.from(ints.map(BigInt)).buffer)
    : Buffer.from(Float32Array.from(floats).buffer);
  return Buffer.concat([...dims, intField(2, ints ? 7 : 1), bytesField(9, numbers), bytesField(8, name)]);
}

/** An attribute of an integer, of a float, of a graph, of a tensor, or one that stands for a function's. */
export const attribute = {
  int: (name: string, value: number): Buffer =>
    Buffer.concat([bytesField(1, name), intField(3, value), intField(20, 2)]),
  float: (name: string, value: number): Buffer => {
    const number = Buffer.alloc(4);
    number.writeFloatLE(value);
    return Buffer.concat([bytesField(1, name), varint((2 << 3) | 5), number, intField(20, 1)]);
  },
  graph: (name: string, value: Buffer): Buffer =>
    Buffer.concat([bytesField(1, name), bytesField(6, value), intField(20, 5)]),
  tensor: (name: string, value: Buffer): Buffer =>
    Buffer.concat([bytesField(1, name), bytesField(5, value), intField(20, 4)]),
  reference: (name: string, of: string): Buffer =>
    Buffer.concat([bytesField(1, name), bytesField(21, of), intField(20, 5)]),
};

/** A node. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: readonly Buffer[] = [],
  name = '',
  domain = '',
): Buffer {
  return Buffer.concat([
    ...inputs.map((input) => bytesField(1, input)),
    ...outputs.map((output) => bytesField(2, output)),
    bytesField(3, name),
    bytesField(4, operator),
    ...attributes.map((part) => bytesField(5, part)),
    bytesField(7, domain),
  ]);
}

/** A value of float32 with its shape; texts are names of sizes. */
export function value(name: string, shape: readonly (number | string)[]): Buffer {
  const sizes = shape.map((size) => bytesField(1, typeof size === 'number' ? intField(1, size) : bytesField(2, size)));
  return Buffer.concat([
    bytesField(1, name),
    bytesField(2, bytesField(1, Buffer.concat([intField(1, 1), bytesField(2, Buffer.concat(sizes))]))),
  ]);
}

/** A graph. */
export function graph(
  nodes: readonly Buffer[],
  tensors: readonly Buffer[],
  inputs: readonly Buffer[],
  outputs: readonly Buffer[],
): Buffer {
  return Buffer.concat([
    ...nodes.map((part) => bytesField(1, part)),
    bytesField(2, 'g'),
    ...tensors.map((part) => bytesField(5, part)),
    ...inputs.map((part) => bytesField(11, part)),
    ...outputs.map((part) => bytesField(12, part)),
  ]);
}

/** A function of the domain `f`. */
export function makeFunction(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly Buffer[],
  attributes: readonly string[] = [],
): Buffer {
  return Buffer.concat([
    bytesField(1, name),
    ...inputs.map((input) => bytesField(4, input)),
    ...outputs.map((output) => bytesField(5, output)),
    ...attributes.map((text) => bytesField(6, text)),
    ...nodes.map((part) => bytesField(7, part)),
    bytesField(9, Buffer.concat([bytesField(1, ''), intField(2, 18)])),
    bytesField(10, 'f'),
  ]);
}

/** A model of opset 18. */
export function model(main: Buffer, functions: readonly Buffer[] = []): Buffer {
  const opset = (domain: string, version: number): Buffer =>
    bytesField(8, Buffer.concat([bytesField(1, domain), intField(2, version)]));
  return Buffer.concat([
    intField(1, 9),
    bytesField(7, main),
    opset('', 18),
    opset('f', 1),
    ...functions.map((part) => bytesField(25, part)),
  ]);
}
