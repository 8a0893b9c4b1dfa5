/** Images in a folder or a zip archive, with labels from class folders, from labels.csv, or without. */
import { dataErrors } from '../../errors/data.ts';
import { fits } from '../model-inputs.ts';
import { indexedDataset, type Format } from '../dataset.ts';
import { folderTree, zipTree } from '../file-tree.ts';
import { decodeImage, fixedSize, imageTransform, loadDecoder } from '../image.ts';
import { listFiles } from '../labelled-files.ts';
import {
  assumedPreprocess,
  channelCount,
  describePreprocess,
  parsePreprocess,
  resolvePreprocess,
  type Preprocess,
} from '../image-preprocess.ts';
import type { InputInfo } from '../sample.ts';

const imageName = /\.(jpe?g|png|webp)$/i;

/** Decodes in flight beside the one in use: they run on libuv's threads while a model runs. */
const ahead = 4;

/** Images in a folder or an archive. */
export const imageFolder: Format = {
  name: 'image-folder',
  accepts: 'a folder or .zip of jpg, png or webp images (class subfolders, or labels.csv, or flat)',
  preprocesses: true,
  detect: ({ kind, extension }) => kind === 'folder' || extension === '.zip',
  async open({ target, inputs, preprocess: text }) {
    const [input] = inputs;
    if (inputs.length !== 1 || input === undefined) throw dataErrors.imagesNeedOneInput(target.path, inputs);
    const preprocess = text === undefined ? assumedPreprocess(input) : resolvePreprocess(parsePreprocess(text), input);
    checkOutput(preprocess, input);
    const tree = await (target.kind === 'folder' ? folderTree(target.path) : zipTree(target.path));
    const files = await listFiles(tree, imageName, (path, found) => dataErrors.noImages(path, found));
    await loadDecoder();
    const transform = imageTransform(preprocess);
    return indexedDataset({
      source: target.path,
      format: 'image-folder',
      inputs,
      count: files.length,
      labelled: files.labelled,
      preprocess: describePreprocess(preprocess, text === undefined),
      id: (position) => files.at(position).name,
      ahead,
      async open() {
        const reader = await tree.open();
        return {
          async read(position) {
            const { name, label } = files.at(position);
            const where = `${tree.path}/${name}`;
            const tensor = transform(await decodeImage(await reader.read(name), where), where);
            return { id: name, inputs: { [input.name]: tensor }, ...(label !== undefined && { label }) };
          },
          close: () => reader.close(),
        };
      },
    });
  },
};

/** What can be known before the first image is read: the channels, and the size when the spec fixes it. */
function checkOutput(preprocess: Preprocess, input: InputInfo): void {
  const size = fixedSize(preprocess);
  const depth = channelCount(preprocess.channels);
  const place = (height: number | null, width: number | null): (number | null)[] =>
    preprocess.layout === 'nchw' ? [1, depth, height, width] : [1, height, width, depth];
  // Where the spec leaves the size open, the input's own stands in, so that only the channels are compared.
  const [height, width] = (preprocess.layout === 'nchw' ? input.dims.slice(2) : input.dims.slice(1)).map((dim) =>
    typeof dim === 'number' ? dim : 1,
  );
  const dims = place(size?.height ?? height!, size?.width ?? width!) as number[];
  if (!fits(dims, input)) throw dataErrors.preprocessShape(size ? dims : place(null, null), input);
}
