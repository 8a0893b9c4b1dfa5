/**
 * What folding BatchNormalization would lose: the statistics and factors of each, kept in the model's metadata so that
 * fine-tuning can take the fold apart again. The graph itself stays folded: it is what runs, and what is evaluated.
 */
import { z } from 'zod';
import { qatErrors } from '../errors/qat.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { batchNormOf } from '../intrinsic/batch-norm.ts';
import { Tensor } from '../onnx/tensor.ts';
import { gainsOf, outputAxis, scaleChannels } from './batch-norm.ts';

/** How BatchNormalization takes part in fine-tuning: with the statistics of each batch, or with its running ones. */
export type NormMode = 'train' | 'freeze';

/** One folded BatchNormalization: y = (conv(x, W) − mean) · gamma / √(variance + epsilon) + beta, beta being in the bias. */
export interface NormRecord {
  /** The folded weight W · gamma / √(variance + epsilon) and bias beta − mean · gamma / √(variance + epsilon), by name. */
  readonly weight: string;
  readonly bias: string;
  readonly epsilon: number;
  /** What one update keeps of the running statistics; PyTorch's momentum is 1 minus it. */
  readonly momentum: number;
  /** float32, one number per output channel; `mean` is that of the product alone, without a bias of the layer. */
  readonly gamma: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** The records of a model. */
export interface NormRecords {
  readonly mode: NormMode;
  readonly norms: readonly NormRecord[];
}

/** A BatchNormalization before it is folded. */
interface Found extends Omit<NormRecord, 'weight' | 'bias'> {
  readonly host: string;
  readonly label: string;
  readonly weight: Float32Array;
}

/** One that stays folded while the others live, and why. */
export interface NotLive {
  readonly node: string;
  readonly reason: string;
}

/** Finds every BatchNormalization of the main graph that stands behind a layer with a constant weight, before fusion. */
export function findNorms(model: Model): Found[] {
  const found: Found[] = [];
  for (const node of model.graph.nodes()) {
    const host = node.is('BatchNormalization') ? node.input(0)?.producer : undefined;
    const weight = host?.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul') ? host.constant(1) : undefined;
    if (!host || !weight || typeof batchNormOf(node, model.opset) === 'string') continue;
    const [gamma, , mean, variance] = [1, 2, 3, 4].map((index) => Float32Array.from(node.constant(index)!.floats()));
    const bias = host.constant(2)?.floats();
    found.push({
      host: host.label,
      label: node.label,
      weight: Float32Array.from(weight.floats()),
      epsilon: Math.fround(node.float('epsilon', 1e-5)),
      momentum: Math.fround(node.float('momentum', 0.9)),
      gamma: gamma!,
      mean: mean!.map((value, channel) => value - (bias?.[bias.length === 1 ? 0 : channel] ?? 0)),
      variance: variance!,
    });
  }
  return found;
}

/** Fusion may sum more than a weight holds in its last digit; a map that was folded too changes all of them. */
const foldTolerance = 1e-5;

/** Makes their records once the model is fused, and those of which nothing but the fold is left. */
export function recordNorms(model: Model, found: readonly Found[]): { norms: NormRecord[]; folded: NotLive[] } {
  const byLabel = new Map([...model.graph.nodes()].map((node) => [node.label, node]));
  const norms: NormRecord[] = [];
  const folded: NotLive[] = [];
  for (const { host, label, weight, ...rest } of found) {
    const node = byLabel.get(host);
    const reason = node ? reasonAgainst(node, weight, rest) : `'${host}' was merged into another node`;
    if (reason !== undefined) {
      // One that was not folded at all is still a node of its own.
      if (!byLabel.has(label)) folded.push({ node: label, reason });
      continue;
    }
    norms.push({ weight: node!.input(1)!.name, bias: biasOf(node!, rest.gamma.length), ...rest });
  }
  return { norms, folded };
}

function reasonAgainst(
  node: Node,
  weight: Float32Array,
  norm: Pick<NormRecord, 'gamma' | 'variance' | 'epsilon'>,
): string | undefined {
  const folded = node.constant(1);
  const axis = outputAxis(node);
  if (!folded || folded.size !== weight.length) return `the weight of '${node.label}' is another one after fusion`;
  if (folded.type.name !== 'float32') return `the weight of '${node.label}' is ${folded.type.name}`;
  if (axis === undefined) return `the groups of ${node.opType} '${node.label}' share a channel axis`;
  if (node.input(1)!.useCount > 1) return `the weight of '${node.label}' is shared with another node`;
  const bias = node.input(2);
  if (bias && bias.useCount > 1) return `the bias of '${node.label}' is shared with another node`;
  if (bias && bias.constant?.dims.length !== 1) return `the bias of '${node.label}' is no vector`;
  const gains = gainsOf(norm);
  if (folded.dims[axis] !== gains.length) return `'${node.label}' has ${folded.dims[axis]} output channels`;
  const flat = gains.findIndex((gain) => gain === 0 || !Number.isFinite(gain));
  if (flat >= 0) return `its scale is 0 in channel ${flat}, and nothing is left of the weight there`;
  const expected = scaleChannels(weight, folded.dims, axis, gains, new Float32Array(weight.length));
  const actual = folded.floats();
  const top = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (expected.some((value, i) => Math.abs(value - actual[i]!) > foldTolerance * top))
    return `more than the BatchNormalization is folded into '${node.label}'`;
  return undefined;
}

/** A fold that left no bias gets one of zeros: training will want it. */
function biasOf(node: Node, channels: number): string {
  const bias = node.input(2);
  if (bias) return bias.name;
  const zeros = node.graph!.addInitializer(
    Tensor.of(`${node.input(1)!.name}_bias`, 'float32', [channels], new Float32Array(channels)),
  );
  if (node.is('MatMul')) node.opType = 'Gemm';
  node.setInput(2, zeros);
  return zeros.name;
}

const key = 'qdq.batch-norm';

const vector = z.base64().transform((text) => {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
});
const stored = z.strictObject({
  mode: z.enum(['train', 'freeze']),
  norms: z.array(
    z.strictObject({
      weight: z.string(),
      bias: z.string(),
      epsilon: z.number(),
      momentum: z.number(),
      gamma: vector,
      mean: vector,
      variance: vector,
    }),
  ),
});

/** Writes the records into the model's metadata. */
export function writeNorms(model: Model, { mode, norms }: NormRecords): void {
  const text = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
    Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  const written = norms.map((norm) => ({
    ...norm,
    gamma: text(norm.gamma),
    mean: text(norm.mean),
    variance: text(norm.variance),
  }));
  model.metadata.set(key, JSON.stringify({ mode, norms: written }));
}

/** Reads the records; undefined for a model in which nothing but the fold is left. @throws QAT_NORM_RECORD when they are damaged */
export function readNorms(model: Model): NormRecords | undefined {
  const text = model.metadata.get(key);
  if (text === undefined) return undefined;
  try {
    return stored.parse(JSON.parse(text));
  } catch (cause) {
    throw qatErrors.normRecord(key, cause);
  }
}

/** Removes the records: what is converted, or trained on as it is, needs them no longer. */
export function dropNorms(model: Model): void {
  model.metadata.delete(key);
}
