/**
 * The two models of a comparison: opened in the form that onnxruntime takes, described for the report, and fed with samples: how many at
 * once, filled up where the batch is fixed, and each model given exactly the inputs it asks for.
 */
import { compareErrors } from '../errors/compare.ts';
import type { Session } from '../backends/session.ts';
import { planRuns, rowsOf, type Runs, type InputHints } from '../data/runs.ts';
import type { Dataset, InputInfo, Sample, Selection } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { modelFromFile } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { separateNodeNames } from '../graph/names.ts';
import { sourceFile } from '../onnx/file.ts';
import { loadModel } from '../onnx/model-file.ts';
import { uncomputable } from '../quantized/requantize.ts';
import { basename } from 'node:path';
import type { ModelFile } from './report.ts';

/** onnxruntime reads single files up to protobuf's limit; larger ones are opened in their loaded form. */
const fileLimit = 2 ** 31 - 1;

/** A model file that was read. */
export interface OpenedModel {
  readonly model: Model;
  /** What openSession takes: the file as users run it, where onnxruntime takes that. */
  readonly source: string | Model;
  /** All of its row in the report but the inputs, which the session tells. */
  facts(inputs: readonly InputInfo[]): ModelFile;
}

/** Opens a model that is to run. @throws COMPARE_SCALE_RATIO before onnxruntime, which would end the process, sees it */
export function openToRun(path: string): OpenedModel {
  const opened = openModel(path);
  for (const node of opened.model.allNodes()) {
    const found = uncomputable(node);
    if (found?.refused) throw compareErrors.scaleRatio(path, node.label, found.inputScales[0]!, found.outputScale);
  }
  return opened;
}

/** Opens a model of which nothing is run. */
export function openModel(path: string): OpenedModel {
  const file = loadModel(path);
  const model = modelFromFile(file);
  return {
    model,
    source: separateNodeNames(model).length > 0 || file.byteLength > fileLimit ? model : path,
    facts(inputs) {
      const external = file.externalFiles().map((dataPath) => {
        const data = sourceFile(dataPath);
        return { file: basename(dataPath), bytes: data.byteLength, sha256: data.sha256() };
      });
      return {
        path,
        sha256: file.sha256(),
        bytes: external.reduce((sum, { bytes }) => sum + bytes, file.byteLength),
        opset: model.opset,
        ir: model.irVersion,
        inputs: inputs.map(({ name, type, dims }) => ({ name, type, dims: [...dims] })),
        ...(external.length > 0 ? { external } : {}),
      };
    },
  };
}

/** A session and how messages call its model. */
export interface NamedSession {
  readonly name: string;
  readonly session: Session;
}

/** Tensors by the name of the input. */
export type Feeds = Readonly<Record<string, TensorValue>>;

/** Enough to keep onnxruntime's kernels busy, little enough for large images. */
const usualBatch = 16;

/** Reads the first sample of the selection. @throws COMPARE_NO_SAMPLES */
export async function firstSample(dataset: Dataset, selection: Selection): Promise<Sample> {
  for await (const sample of dataset.samples(selection)) return sample;
  throw compareErrors.noSamples(dataset.source);
}

/**
 * Plans the runs of both models. A fixed batch decides; a free one takes `wanted`, or 16, or 1 when other dimensions are free as
 * well, since samples of different shape cannot share a batch.
 * @throws COMPARE_BATCH when the two models fix different batch dimensions
 */
export function runsOfBoth(
  float: NamedSession,
  quant: NamedSession,
  first: Sample,
  side: InputHints,
  wanted?: number,
): Runs {
  const uneven = float.session.inputs.some(({ name, dims }) =>
    dims.some((dim, axis) => axis !== (side.batchAxes?.get(name) ?? 0) && typeof dim !== 'number'),
  );
  const asked = wanted ?? (uneven ? 1 : usualBatch);
  const [one, other] = [float, quant].map(({ session }) => planRuns(session.inputs, first, asked, side)) as [
    Runs,
    Runs,
  ];
  const [rows, otherRows] = [rowsOf(one, 1), rowsOf(other, 1)];
  if (one.fixed && other.fixed && rows !== otherRows)
    throw compareErrors.batches(float.name, rows, quant.name, otherRows);
  if (one.fixed || other.fixed) return one.fixed ? one : other;
  return one.samples < other.samples ? one : other;
}

/** Picks the inputs that the model asks for. @throws COMPARE_INPUTS when one is not among `inputs` */
export function feedsOf({ name, session }: NamedSession, inputs: Feeds): Feeds {
  const wanted = session.inputs.map((input: InputInfo) => input.name);
  const missing = wanted.filter((input) => !Object.hasOwn(inputs, input));
  if (missing.length > 0) throw compareErrors.inputs(name, missing, Object.keys(inputs));
  return Object.fromEntries(wanted.map((input) => [input, inputs[input]!]));
}
