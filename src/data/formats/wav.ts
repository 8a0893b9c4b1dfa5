/** Sound: a .wav file, or a folder of them with labels as image folders have them. A clip is a sample, or each of its frames is. */
import { basename, dirname } from 'node:path';
import { dataErrors } from '../../errors/data.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { canonicalAudio, resolveAudio, type AudioPreprocess } from '../audio-preprocess.ts';
import { openFile } from '../random-access.ts';
import { convert } from '../convert.ts';
import { indexedDataset, type Format, type OpenRequest } from '../dataset.ts';
import { folderTree } from '../file-tree.ts';
import { type LabelledFile, listFiles, type LabelledFiles } from '../labelled-files.ts';
import { logMel } from '../log-mel.ts';
import { audioResampler, readWav, readWavHeader, type WavHeader } from '../audio.ts';
import type { Dataset, InputInfo } from '../sample.ts';

const soundName = /\.wav$/i;
const isSound = (name: string): boolean => soundName.test(name);

/** A WAVE file or a folder of them. */
export const wav: Format = {
  name: 'wav',
  accepts: 'a .wav file or a folder of them (class subfolders, or labels.csv, or flat)',
  preprocesses: true,
  detect: ({ extension, names, below }) => extension === '.wav' || names.some(isSound) || below.some(isSound),
  open: openWav,
};

async function openWav({ target: { path, kind }, inputs, preprocess: text }: OpenRequest): Promise<Dataset> {
  const [input] = inputs;
  if (inputs.length !== 1 || input === undefined) throw dataErrors.soundsNeedOneInput(path, inputs);
  const preprocess = resolveAudio(text, input);
  const root = kind === 'file' ? dirname(path) : path;
  const tree = kind === 'file' ? undefined : await folderTree(path);
  const only = { name: basename(path), label: undefined };
  const files: Pick<LabelledFiles, 'length' | 'at' | 'labelled'> = tree
    ? await listFiles(tree, soundName, (place) => dataErrors.noSounds(place))
    : { length: 1, labelled: false, at: () => only };
  const reference = `${root}/${files.at(0).name}`;
  const usual = preprocess.rate === undefined ? (await headerOf(reference)).rate : undefined;
  const make = clipMaker((header, where) => {
    if (usual !== undefined && header.rate !== usual) throw dataErrors.wavRates(where, header.rate, reference, usual);
    return preprocess.rate ?? header.rate;
  });
  const { frames } = preprocess;
  const render = renderer(preprocess, input);
  const counts: number[] = [];
  for (let i = 0; i < files.length; i++)
    counts.push(frames ? await frameCount(`${root}/${files.at(i).name}`, preprocess) : 1);
  const starts = startsOf(counts);
  const place = (position: number): { file: LabelledFile; frame: number } => {
    const index = lastAtMost(starts, position);
    return { file: files.at(index), frame: position - starts[index]! };
  };
  const id = (position: number): string => {
    const { file, frame } = place(position);
    return frames ? `${file.name}#${frame}` : file.name;
  };
  return indexedDataset({
    source: path,
    format: 'wav',
    inputs,
    count: starts.at(-1)!,
    labelled: files.labelled,
    preprocess: canonicalAudio(preprocess),
    sequences: counts,
    id,
    ahead: 1,
    open() {
      let last: { name: string; clip: Promise<Float32Array> } | undefined;
      const clipOf = (name: string): Promise<Float32Array> => {
        if (last?.name !== name) last = { name, clip: make(`${root}/${name}`) };
        return last.clip;
      };
      return Promise.resolve({
        async read(position) {
          const { file, frame } = place(position);
          const clip = await clipOf(file.name);
          const tensor = render(cut(clip, frame, preprocess), file.name);
          const { name, label } = file;
          return {
            id: id(position),
            inputs: { [input.name]: tensor },
            ...(label !== undefined && { label }),
            sequence: name,
          };
        },
      });
    },
  });
}

async function headerOf(path: string): Promise<WavHeader> {
  const file = await openFile(path);
  return readWavHeader(file).finally(() => file.close());
}

/** The number of frames in a file. Of one that cannot be read: one, whose turn brings the error. */
async function frameCount(path: string, { rate, frames }: AudioPreprocess): Promise<number> {
  const header = await headerOf(path).catch(() => undefined);
  if (!header) return 1;
  const length = Math.ceil((header.length * (rate ?? header.rate)) / header.rate);
  return Math.max(1, Math.ceil((length - frames!.frame) / frames!.hop) + 1);
}

/** Reads and resamples whole clips; the tables of a rate are made once. */
function clipMaker(rateOf: (header: WavHeader, where: string) => number): (path: string) => Promise<Float32Array> {
  const resamplers = new Map<string, (clip: Float32Array) => Float32Array>();
  return async (path) => {
    const file = await openFile(path);
    try {
      const header = await readWavHeader(file);
      const rate = rateOf(header, path);
      const key = `${header.rate}:${rate}`;
      const resample = resamplers.get(key) ?? audioResampler(header.rate, rate);
      resamplers.set(key, resample);
      return resample(await readWav(file, header));
    } finally {
      await file.close();
    }
  };
}

/** The part of a clip that is one sample; zeros stand where the clip does not reach. */
function cut(clip: Float32Array, frame: number, { length, frames }: AudioPreprocess): Float32Array {
  const start = frames ? frame * frames.hop - frames.context : 0;
  const size = frames ? frames.context + frames.frame : (length ?? clip.length);
  const part = new Float32Array(size);
  const from = Math.max(0, start);
  part.set(clip.subarray(from, Math.max(from, start + size)), from - start);
  return part;
}

/** Makes the tensor of a sample of its part of a clip. */
function renderer(
  { mel }: AudioPreprocess,
  { dims, type }: InputInfo,
): (part: Float32Array, where: string) => TensorValue {
  const shaped = (last: readonly number[], data: Float32Array): TensorValue => {
    const others = Array.from({ length: dims.length - last.length }, () => 1);
    return { type, dims: [...others, ...last], data: convert(data, 'float32', type) };
  };
  if (!mel) return (part) => shaped([part.length], part);
  const spectrogram = logMel(mel);
  return (part, where) => {
    const data = spectrogram(part);
    const times = data.length / mel.mel;
    if (times < 1) throw dataErrors.audioTooShort(where, part.length, mel.fft);
    if (mel.layout === 'mel-time') return shaped([mel.mel, times], data);
    return shaped(
      [times, mel.mel],
      data.map((_, i) => data[(i % mel.mel) * times + Math.floor(i / mel.mel)]!),
    );
  };
}

/** The first position of each file, and the number of all. */
function startsOf(counts: readonly number[]): Float64Array {
  const starts = new Float64Array(counts.length + 1);
  counts.forEach((count, i) => (starts[i + 1] = starts[i]! + count));
  return starts;
}

/** The index of the file that a position lies in. */
function lastAtMost(starts: Float64Array, position: number): number {
  let [low, high] = [0, starts.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle;
  }
  return low;
}
