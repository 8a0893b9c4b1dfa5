/** Images in a folder or a zip archive, with labels from class folders, from labels.csv, or without. */
import { dataErrors } from '../../errors/data.ts';
import { fits } from '../check.ts';
import { indexedDataset } from '../dataset.ts';
import { folderTree, zipTree, type FileTree } from '../file-tree.ts';
import { decodeImage, fixedSize, imageTransform, loadDecoder } from '../image.ts';
import { labelsFile, labelsFromFolders, labelsFromTable, type LabelledFile } from '../labels.ts';
import {
  assumedPreprocess,
  channelCount,
  describePreprocess,
  parsePreprocess,
  resolvePreprocess,
  type Preprocess,
} from '../preprocess.ts';
import type { InputInfo } from '../sample.ts';
import type { Format } from './format.ts';

const imageName = /\.(jpe?g|png|webp)$/i;
const splitNames = new Set(['train', 'training', 'val', 'valid', 'validation', 'test', 'testing', 'eval']);

/** Decodes in flight beside the one in use: they run on libuv's threads while a model runs. */
const ahead = 4;

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
    const files = await listImages(tree);
    await loadDecoder();
    const transform = imageTransform(preprocess);
    return indexedDataset({
      source: target.path,
      format: 'image-folder',
      inputs,
      count: files.length,
      labelled: files[0]!.label !== undefined,
      preprocess: describePreprocess(preprocess, text === undefined),
      id: (position) => files[position]!.name,
      ahead,
      async open() {
        const reader = await tree.open();
        return {
          async read(position) {
            const { name, label } = files[position]!;
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

/** The images below the root, sorted, with their labels. */
export async function listImages(tree: FileTree): Promise<LabelledFile[]> {
  const root = rootOf(tree.names);
  const below = tree.names.filter((name) => name.startsWith(root)).map((name) => name.slice(root.length));
  const images = below.filter((name) => imageName.test(name));
  if (images.length === 0) throw dataErrors.noImages(tree.path, below);
  const where = `${tree.path}/${root}${labelsFile}`;
  const files = below.includes(labelsFile)
    ? labelsFromTable(await readText(tree, root + labelsFile), images, where)
    : labelsFromFolders(refuseSplits(images, tree.path), tree.path);
  if (files.length === 0) throw dataErrors.noImages(where, below);
  return files.map(({ name, label }) => ({ name: root + name, label }));
}

/** The common folder that archives are often wrapped in: one that holds everything, and folders or labels.csv. */
function rootOf(names: readonly string[]): string {
  const first = names[0]?.split('/') ?? [];
  if (first.length < 2) return '';
  const root = `${first[0]}/`;
  const inner = names.map((name) => name.slice(root.length));
  const wraps =
    inner.includes(labelsFile) || inner.filter((name) => imageName.test(name)).every((name) => name.includes('/'));
  return names.every((name) => name.startsWith(root)) && wraps ? root : '';
}

/** `train` and `val` are not classes; labels made from them would be silently wrong. */
function refuseSplits(images: readonly string[], path: string): readonly string[] {
  const folders = [...new Set(images.map((name) => name.split('/')[0]!))];
  const nested = images.every((name) => name.split('/').length > 2);
  if (nested && folders.every((name) => splitNames.has(name.toLowerCase())))
    throw dataErrors.splitFolders(path, folders);
  return images;
}

async function readText(tree: FileTree, name: string): Promise<string> {
  const reader = await tree.open();
  try {
    return (await reader.read(name)).toString('utf8');
  } finally {
    await reader.close();
  }
}
