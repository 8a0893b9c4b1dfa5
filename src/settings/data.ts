/** Where samples come from, and how they are read. */
import { flag, integer, list, path, text } from './setting.ts';
import { sampled } from './stages.ts';

const group = 'Data:';

export const data = {
  /** Image folder, .npy, .npz, folder of TensorProto sets, or the word `random`. */
  data: path({
    group,
    reads: { kind: 'data', as: 'the data' },
    stages: sampled,
    words: ['random'],
    describe:
      'samples: folder of images or .wav (class subfolders or labels.csv), .npy, .npz, .safetensors, .jsonl, .txt, .csv, folder of TensorProto sets, reader.mjs, random',
  }),
  /** A user's module: async iterator of `{input: tensor, label?}`. */
  reader: path({
    group,
    reads: { kind: 'file', as: 'the reader' },
    stages: sampled,
    describe: 'module that yields the samples: async iterator of {input: tensor, label?}',
  }),
  /** A preset (`imagenet`) and/or `key=value` words. */
  preprocess: text({
    group,
    reads: { kind: 'text', as: 'the tokenizer' },
    stages: sampled,
    describe:
      'for images: a preset (imagenet) and/or "resize=256 crop=224 scale=1/255 mean=.485,.456,.406 std=.229,.224,.225"; for sound: "rate=16000" with "length=N" or "frame=512 hop=512 context=64", or spectrograms: whisper, or "mel=80 fft=400 hop=160 log=ln"; for text: "tokenizer=tokenizer.json max-length=128"',
    expects: 'a preset such as imagenet, or key=value words',
  }),
  /** How many samples; the stage's own default when absent. */
  samples: integer({
    group,
    stages: sampled,
    min: 1,
    describe: 'number of samples to use, drawn at random',
    defaultText: 'depends on the command',
  }),
  seed: integer({
    group,
    stages: sampled,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: 0,
    describe: 'seed of every random choice',
  }),
  /** Samples per run, where the model's batch axis is free. */
  batch: integer({
    group,
    stages: sampled,
    min: 1,
    describe: 'samples per run, where the model allows it',
    defaultText: 'by the model',
  }),
  /** Inputs that are the same for every sample, `NAME=NUMBER` each. */
  input: list({
    group,
    stages: sampled,
    describe: 'an input that is the same for every sample, "NAME=NUMBER", such as sr=16000 (repeatable)',
    expects: '"NAME=NUMBER", such as sr=16000',
  }),
  /** State of a stateful model, `OUTPUT=INPUT` each: fed back from sample to sample, zero at the start of a sequence. */
  carry: list({
    group,
    stages: sampled,
    describe: 'state of the model, "OUTPUT=INPUT": fed back from sample to sample of a sequence (repeatable)',
    expects: '"OUTPUT=INPUT", such as stateN=state',
  }),
  /** Leave out samples that cannot be read or do not fit the model, and count them, instead of ending with an error. */
  skipBad: flag({
    group,
    stages: sampled,
    default: false,
    describe: 'leave out samples that cannot be read or do not fit, and count them in the report',
  }),
  /** The samples of the report; default: what `data` leaves over. */
  eval: path({
    group,
    reads: { kind: 'data', as: 'the data of the report' },
    stages: ['quantize', 'quantizeFinetuned', 'variants', 'finetune', 'sensitivity'],
    words: ['random'],
    describe: 'the samples of the report',
    defaultText: 'what --data leaves over',
  }),
  /** Observe only this share of the samples; `index` counts from 1. The states of all shards merge into one. */
  shard: text({
    group,
    stages: ['calibrate'],
    option: false,
    describe:
      "observe shard i of n only, for 'qdq merge'; auto/n or auto: i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX",
    expects: 'i/n, auto/n or auto',
  }),
  /** An int8 model made from it whose quantizers are judged; absent: it is quantized with these flags. */
  int8: path({
    group,
    reads: { kind: 'model', as: 'the quantized model' },
    stages: ['sensitivity'],
    describe: 'an int8 model made from MODEL, whose quantizers are judged',
  }),
};
