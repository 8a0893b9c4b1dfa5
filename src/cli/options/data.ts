/** Where samples come from, and how they are read. */
import { flag, integer, list, path, text, type Option } from '../../config/option.ts';
import { defaults } from '../../defaults.ts';

const group = 'Data:';

export const data = {
  data: path({
    group,
    words: ['random'],
    describe:
      'samples: folder of images or .wav (class subfolders or labels.csv), .npy, .npz, .safetensors, .jsonl, .txt, .csv, folder of TensorProto sets, reader.mjs, random',
  }),
  reader: path({ group, describe: 'module that yields the samples: async iterator of {input: tensor, label?}' }),
  preprocess: text({
    group,
    describe:
      'for images: a preset (imagenet) and/or "resize=256 crop=224 scale=1/255 mean=.485,.456,.406 std=.229,.224,.225"; for sound: "rate=16000" with "length=N" or "frame=512 hop=512 context=64", or spectrograms: whisper, or "mel=80 fft=400 hop=160 log=ln"; for text: "tokenizer=tokenizer.json max-length=128"',
    expects: 'a preset such as imagenet, or key=value words',
  }),
  samples: integer({
    group,
    min: 1,
    describe: 'number of samples to use, drawn at random',
    defaultText: 'depends on the command',
  }),
  seed: integer({
    group,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: defaults.seed,
    describe: 'seed of every random choice',
  }),
  batch: integer({
    group,
    min: 1,
    describe: 'samples per run, where the model allows it',
    defaultText: 'by the model',
  }),
  input: list({
    group,
    describe: 'an input that is the same for every sample, "NAME=NUMBER", such as sr=16000 (repeatable)',
    expects: '"NAME=NUMBER", such as sr=16000',
  }),
  carry: list({
    group,
    describe: 'state of the model, "OUTPUT=INPUT": fed back from sample to sample of a sequence (repeatable)',
    expects: '"OUTPUT=INPUT", such as stateN=state',
  }),
  skipBad: flag({
    group,
    default: false,
    describe: 'leave out samples that cannot be read or do not fit, and count them in the report',
  }),
  eval: path({
    group,
    words: ['random'],
    describe: 'the samples of the report',
    defaultText: 'what --data leaves over',
  }),
  shard: text({
    group,
    describe:
      "observe shard i of n only, for 'qdq merge'; auto/n or auto: i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX",
    expects: 'i/n, auto/n or auto',
  }),
  int8: path({ group, describe: 'an int8 model made from MODEL, whose quantizers are judged' }),
} satisfies Record<string, Option>;
