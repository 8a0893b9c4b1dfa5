/** One .npy array for a model with one input. */
import { basename } from 'node:path';
import { dataErrors } from '../../errors/data.ts';
import { arrayDataset } from '../arrays.ts';
import { openFile } from '../bytes.ts';
import { readNpyHeader, rowReader } from '../npy-array.ts';
import type { Format } from './format.ts';

export const npy: Format = {
  name: 'npy',
  accepts: 'an .npy array with samples along the first axis',
  preprocesses: false,
  detect: ({ extension }) => extension === '.npy',
  async open({ target: { path }, inputs }) {
    const [input] = inputs;
    if (inputs.length !== 1 || input === undefined) throw dataErrors.npyOneInput(path, inputs);
    const file = await openFile(path);
    const header = await readNpyHeader(file).finally(() => file.close());
    const name = basename(path);
    return arrayDataset({
      source: path,
      format: 'npy',
      columns: [{ name, header, input }],
      labels: undefined,
      idBase: name,
      async open() {
        const opened = await openFile(path);
        const row = rowReader(header, opened);
        return { row: (_, position) => row(position), close: () => opened.close() };
      },
    });
  },
};
