/** The data formats, most specific first: the first that recognises a target opens it. */
import type { Format } from './format.ts';
import { imageFolder } from './image-folder.ts';
import { npy } from './npy.ts';
import { npz } from './npz.ts';
import { random } from './random.ts';
import { readerModule } from './reader-module.ts';
import { safetensors } from './safetensors.ts';
import { tensorProto } from './tensor-proto.ts';
import { text } from './text.ts';
import { wav } from './wav.ts';

export const formats: readonly Format[] = [
  random,
  tensorProto,
  npy,
  npz,
  safetensors,
  text,
  readerModule,
  wav,
  imageFolder,
];
