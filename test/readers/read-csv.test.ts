import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/readers/byte-source';
import { readCsv, type CsvTable } from '../../src/readers/read-csv';

function read(text: string | Uint8Array, header: boolean | null = null): CsvTable {
  return readCsv(memorySource(typeof text === 'string' ? Buffer.from(text) : text), 'data.csv', header);
}

function values(table: CsvTable): number[][] {
  const [rows, columns] = table.tensor.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => [...table.tensor.data.subarray(row * columns, (row + 1) * columns)]);
}

const WANTED = [
  [1, 2.5],
  [-3, 4e-3],
];

describe('readCsv', () => {
  it.each([
    ['commas', '1,2.5\n-3,4e-3\n'],
    ['no last line break', '1,2.5\n-3,4e-3'],
    ['CRLF', '1,2.5\r\n-3,4e-3\r\n'],
    ['tabs', '1\t2.5\n-3\t4e-3'],
    ['bars', '1|2.5\n-3|4e-3'],
    ['semicolons', '1;2.5\n-3;4e-3'],
    ['decimal commas', '1;2,5\n-3;0,004'],
    ['white space, as numpy.savetxt writes', ' 1.0e+00 2.5e+00\n-3.0e+00 4.0e-03\n'],
    ['quotes', '"1","2.5"\n"-3","4e-3"'],
    ['blank lines', '\n1,2.5\n\n-3,4e-3\n\n'],
    ['comments', '# made by hand\n1,2.5\n# half\n-3,4e-3'],
    ['spaces around cells', ' 1 , 2.5 \n -3 , 4e-3 '],
    ['a byte order mark', '\ufeff1,2.5\n-3,4e-3'],
  ])('reads %s', (_what, text) => {
    const table = read(text);
    expect(table.columns).toBeNull();
    expect(values(table)).toEqual(WANTED);
  });

  it('reads UTF-16', () => {
    expect(values(read(Buffer.from('\ufeff1,2.5\n-3,4e-3', 'utf16le')))).toEqual(WANTED);
  });

  it('finds a header by itself', () => {
    const table = read('load,temp (°C)\n1,2.5\n-3,4e-3');
    expect(table.columns).toEqual(['load', 'temp (°C)']);
    expect(values(table)).toEqual(WANTED);
  });

  it('takes or leaves the first row as it is told', () => {
    expect(read('1,2\n3,4', true)).toMatchObject({ columns: ['1', '2'], tensor: { shape: [1, 2] } });
    expect(() => read('a,b\n1,2', false)).toThrow(expect.objectContaining({ code: 'input/not-readable' }));
  });

  it('reads one column and one row', () => {
    expect(read('1\n2\n3').tensor.shape).toEqual([3, 1]);
    expect(read('1,2,3').tensor.shape).toEqual([1, 3]);
  });

  it.each([
    ['an empty cell', 'a,b\n1,2\n3,\n', 'input/not-finite', 'row 3, column 2 (b) is empty'],
    ['NaN', '1,2\n3,NaN', 'input/not-finite', 'row 2, column 2 holds NaN'],
    ['infinity', '1,2\n-inf,4', 'input/not-finite', 'row 2, column 1 holds -inf'],
    ['an overflow', '1,2\n1e999,4', 'input/not-finite', 'row 2, column 1 holds 1e999'],
    ['a word', 'a,b\n1,2\n3,high', 'input/not-readable', 'row 3, column 2 (b) holds the text "high"'],
    ['a short row', '1,2\n3\n', 'input/not-readable', 'row 2 has 1 columns, the first row has 2'],
    ['a long row', '1,2\n\n3,4,5\n', 'input/not-readable', 'row 3 has 3 columns'],
    ['a header alone', 'a,b\n', 'input/not-readable', 'a header but no numbers'],
    ['nothing', '', 'input/not-readable', 'no rows'],
    ['blank lines alone', '\n\n \n', 'input/not-readable', 'no rows'],
    ['binary data', '\0\u0001\u0002', 'input/not-readable', 'not a text'],
  ])('refuses %s and says where', (_what, text, code, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it('holds the size against the limit', () => {
    expect(() => readCsv(memorySource(Buffer.from('1,2,3')), 'x', null, { maxCsvBytes: 4 } as never)).toThrow(
      expect.objectContaining({ code: 'reader/limit-exceeded' }),
    );
  });
});
