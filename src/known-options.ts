/**
 * The options that each function of the library takes. Callers of JavaScript have no compiler that tells them of a misspelled one, which
 * would otherwise change nothing in silence. The types see to it that none is forgotten here.
 */
import { nearest, usageError } from './errors/qdq-error.ts';
import type * as Types from './pipeline-types.ts';

type Keys<T> = Readonly<Record<keyof T, true>>;

const data: Keys<Types.DataFlags> = {
  ...{ data: true, reader: true, preprocess: true, samples: true, seed: true, batch: true },
  ...{ skipBad: true, input: true, carry: true, eval: true },
};
const observer: Keys<Types.ObserverFlags> = { observer: true, observerOption: true, exact: true };
const scheme: Keys<Types.SchemeFlags> = {
  ...observer,
  ...{ format: true, target: true, opset: true, activationType: true, weightType: true, perTensor: true },
  ...{
    symmetric: true,
    reduceRange: true,
    optimize: true,
    weightObserver: true,
    weightBits: true,
    embeddingBits: true,
    blockSize: true,
  },
  ...{ weightMethod: true, accuracyLevel: true, keepIo: true, recurrent: true, include: true, exclude: true },
  ...{ override: true, minRange: true, range: true, state: true, floatType: true },
};
const run: Keys<Types.RunFlags> = { threads: true, command: true, onProgress: true, onWarning: true };
const report: Keys<Types.ReportFlags> = {
  ...{ report: true, reportFormat: true, htmlStatic: true, baseline: true, updateBaseline: true, profile: true },
};
const judge: Keys<Types.JudgeFlags> = { task: true, taskOption: true, metric: true };
const training: Keys<Types.TrainingFlags> = {
  ...{ teacher: true, steps: true, epochs: true, lr: true, loss: true, temperature: true, labelSmoothing: true },
  ...{ optimizer: true, momentum: true, nesterov: true, weightDecay: true, schedule: true, warmup: true },
  ...{ scales: true, scaleLr: true, freezeScales: true, bn: true, freezeBn: true, clipNorm: true, clipValue: true },
  ...{ accumulate: true, workers: true, augment: true, cache: true, evalEvery: true, patience: true, keep: true },
  ...{ checkpoint: true, checkpointEvery: true, resume: true, log: true },
};
const model = { model: true, output: true } as const;
const written = { ...model, externalData: true } as const;
const judged = { ...judge, ...report, gates: true, layers: true } as const;

/** What is written in one form only takes no settings of forms. */
const formOnly = [
  ...(['format', 'optimize', 'weightObserver', 'embeddingBits', 'blockSize', 'weightMethod', 'accuracyLevel'] as const),
  ...(['keepIo', 'floatType', 'override', 'recurrent'] as const),
] as const;

function without<T extends object, K extends keyof T>(all: T, left: readonly K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => !(left as readonly unknown[]).includes(key))) as Omit<
    T,
    K
  >;
}

const fuseModel: Keys<Types.FuseOptions> = { ...data, ...run, ...written, opset: true, skip: true };
const calibrateModel: Keys<Types.CalibrateOptions> = {
  ...{ ...data, ...observer, ...run, ...model },
  ...{ opset: true, shard: true, workers: true, saveEvery: true },
};
const mergeCalibrations: Keys<Types.MergeOptions> = { states: true, output: true, partial: true };
const exportCalibration: Keys<Types.ExportOptions> = { state: true, as: true, output: true };
const quantizeModel: Keys<Types.QuantizeOptions> = { ...data, ...scheme, ...run, ...judged, ...written, improve: true };
const quantizeFinetuned: Keys<Types.QuantizeFinetunedOptions> = {
  ...{ ...without(quantizeModel, [...formOnly, 'improve']), ...training, activationBits: true, firstLastBits: true },
};
const prepareModel: Keys<Types.PrepareOptions> = {
  ...{ ...without(data, ['eval']), ...without(scheme, formOnly), ...run, ...written },
  ...{ activationBits: true, firstLastBits: true, bn: true },
};
const finetuneModel: Keys<Types.FinetuneOptions> = { ...training, ...data, ...run, ...judged, ...written };
const convertModel: Keys<Types.ConvertOptions> = { ...data, ...run, ...written, storage: true };
const compareModels: Keys<Types.CompareOptions> = { ...data, ...run, ...judged, float: true, quant: true };
const measureSensitivity: Keys<Types.SensitivityOptions> = {
  ...{
    ...data,
    ...without(scheme, ['format', 'state', 'override', 'recurrent']),
    ...run,
    model: true,
    int8: true,
    until: true,
    measure: true,
    into: true,
  },
};
const makeVariants = { ...data, ...run, ...model, for: true, opset: true } as const;

const functions = {
  ...{
    fuseModel,
    calibrateModel,
    mergeCalibrations,
    exportCalibration,
    quantizeModel,
    quantizeFinetuned,
    prepareModel,
  },
  ...{ finetuneModel, convertModel, compareModels, measureSensitivity, makeVariants },
} as const satisfies Readonly<Record<string, Readonly<Record<string, true>>>>;

/** `options`, in which every name is known. @throws OPTION_UNKNOWN */
export function known<T extends object>(name: keyof typeof functions, options: T): T {
  const names = Object.keys(functions[name]);
  const unknown = Object.entries(options).find(([key, value]) => value !== undefined && !names.includes(key))?.[0];
  if (unknown === undefined) return options;
  const near = nearest(unknown, names);
  const others = Object.entries(functions).flatMap(([other, keys]) => (Object.hasOwn(keys, unknown) ? [other] : []));
  const elsewhere = others.length > 0 ? `it is an option of ${others.join(', ')}` : `it takes ${names.join(', ')}`;
  throw usageError(
    'OPTION_UNKNOWN',
    `${name} has no option '${unknown}'`,
    near === undefined || others.length > 0 ? elsewhere : `did you mean '${near}'?`,
  );
}
