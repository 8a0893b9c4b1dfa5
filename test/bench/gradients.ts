/**
 * One training step over one forward pass: ResNet-20 for 32×32 images (He et al. 2016, section 4.2) with 4-bit fake quantizers,
 * all weights, biases and scales as inputs, gradients of all of them. Twice the multiplications of the forward pass are needed
 * for gradients, so 3 would be ideal. Where the time goes is read from onnxruntime's own profile.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSession, type Session } from '../../src/backends/session.ts';
import { blockConvolutions, blockSize } from '../../src/backends/blocked-conv.ts';
import type { SessionOptions } from '../../src/backends/session-options.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import { random } from '../../src/data/random.ts';
import type { Model } from '../../src/graph/model.ts';
import { elementCount, type TensorValue } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { differentiate } from '../../src/qat/differentiate.ts';
import { traceShapes } from '../../src/qat/tracing.ts';
import { buildModel, constant, node, scalar, type Constant } from '../support/build.ts';
import { median, result, type BenchResult } from './bench.ts';

const batch = 64;
const rounds = 7;

const training: SessionOptions = {
  level: 'basic',
  simulate: true,
  memoryPattern: false,
  extra: { 'intra_op.allow_spinning': '0' },
};

interface Network {
  readonly model: Model;
  readonly feeds: Record<string, TensorValue>;
  readonly parameters: readonly string[];
}

/** Conv → fake quantizer of the ReLU range, nine residual blocks of two, a classifier, cross-entropy. */
export function fakeQuantizedResNet20(size: number): Network {
  const numbers = random(0);
  const uniform = (): number => numbers.uint32() / 2 ** 31 - 1;
  const nodes: NodeProto[] = [];
  const feeds: Record<string, TensorValue> = {};
  const parameters: string[] = [];
  const initializers: Record<string, Constant> = {
    ...{ u8: scalar('uint8', 0), s8: scalar('int8', 0), low: scalar('int8', -7), high: scalar('int8', 7) },
    ...{ top: scalar('uint8', 15), bottom: scalar('uint8', 0) },
  };
  const feed = (name: string, dims: readonly number[], value: () => number): string => {
    const data = Float32Array.from({ length: elementCount(dims) }, value);
    feeds[name] = { type: 'float32', dims, data };
    return name;
  };
  const parameter = (name: string, dims: readonly number[], value: () => number): string => {
    parameters.push(name);
    return feed(name, dims, value);
  };
  const add = (opType: string, inputs: string[], output: string, attributes = {}): string => {
    nodes.push(node(opType, inputs, [output], attributes));
    return output;
  };
  const activation = (x: string): string => {
    const s = parameter(`${x}_s`, [], () => 0.15);
    const codes = add('Clip', [add('QuantizeLinear', [x, s, 'u8'], `${x}_q`), 'bottom', 'top'], `${x}_c`);
    return add('DequantizeLinear', [codes, s, 'u8'], `${x}_dq`);
  };
  let count = 0;
  const conv = (x: string, from: number, to: number, kernel: number, stride: number): string => {
    const name = `conv${count++}`;
    const limit = Math.sqrt(6 / (from * kernel * kernel));
    const w = parameter(`${name}_w`, [to, from, kernel, kernel], () => limit * uniform());
    const s = parameter(`${name}_scale`, [to], () => limit / 8);
    initializers[`zero${to}`] = constant(
      'int8',
      [to],
      Array.from({ length: to }, () => 0),
    );
    const axis = { axis: 0 };
    const q = add(
      'Clip',
      [add('QuantizeLinear', [w, s, `zero${to}`], `${name}_wq`, axis), 'low', 'high'],
      `${name}_wc`,
    );
    const weight = add('DequantizeLinear', [q, s, `zero${to}`], `${name}_wdq`, axis);
    const pad = (kernel - 1) / 2;
    const pads = [pad, pad, pad, pad];
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads };
    return add('Conv', [x, weight, parameter(`${name}_b`, [to], () => 0.1 * uniform())], name, attributes);
  };
  feed('x', [size, 3, 32, 32], () => 2 * uniform());
  let x = activation(conv('x', 3, 16, 3, 1));
  let channels = 16;
  for (const width of [16, 32, 64]) {
    for (let block = 0; block < 3; block++) {
      const stride = width > 16 && block === 0 ? 2 : 1;
      const inner = activation(conv(x, channels, width, 3, stride));
      const shortcut = width === channels ? x : conv(x, channels, width, 1, stride);
      x = activation(add('Add', [conv(inner, width, width, 3, 1), shortcut], `add${count}`));
      channels = width;
    }
  }
  const features = add('Flatten', [add('GlobalAveragePool', [x], 'average')], 'features');
  const logits = add(
    'Gemm',
    [features, parameter('fc', [10, 64], uniform), parameter('fcb', [10], uniform)],
    'logits',
    { transB: 1 },
  );
  const labels = feed('target', [size, 10], () => 0);
  for (let i = 0; i < size; i++) feeds['target']!.data[i * 10 + (i % 10)] = 1;
  const likelihood = add('Mul', [add('LogSoftmax', [logits], 'lp'), labels], 'picked');
  initializers['share'] = scalar('float32', -1 / size);
  add('Mul', [add('ReduceSum', [likelihood], 'total', { keepdims: 0 }), 'share'], 'loss');
  const inputs = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
  return { model: buildModel({ opset: 18, inputs, outputs: ['loss'], nodes, initializers }), feeds, parameters };
}

async function withGradients({ model, parameters }: Network): Promise<Model> {
  const { graph } = model;
  const wrt = parameters.map((name) => graph.values.get(name)!);
  const gradients = differentiate(graph, graph.values.get('loss')!, wrt);
  for (const gradient of gradients.values()) graph.addOutput(gradient);
  blockConvolutions(model, await blockSize());
  return model;
}

/** The forward pass gets the same kernels, so that the ratio compares like with like. */
function blocked(model: Model, block: number | undefined): Model {
  const copy = copyModel(model);
  blockConvolutions(copy, block);
  return copy;
}

async function milliseconds(session: Session, feeds: Network['feeds']): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}

/** Percent of the time of a run by operator, the largest first. */
async function shares(model: Model, feeds: Network['feeds'], options: SessionOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-profile-'));
  try {
    const session = await openSession(model, { ...options, profile: join(folder, 'step') });
    for (let i = 0; i < 3; i++) await session.run(feeds);
    await session.dispose();
    const [file] = readdirSync(folder);
    const events = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as Event[];
    const byOperator = new Map<string, number>();
    for (const { cat, dur, args } of events) {
      if (cat !== 'Node' || !args?.op_name) continue;
      byOperator.set(args.op_name, (byOperator.get(args.op_name) ?? 0) + dur);
    }
    const total = [...byOperator.values()].reduce((sum, time) => sum + time, 0);
    const sorted = [...byOperator].sort((a, b) => b[1] - a[1]).slice(0, 8);
    return sorted.map(([name, time]) => `${name} ${((100 * time) / total).toFixed(0)} %`).join(', ');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Event {
  readonly cat: string;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

async function compare(threads: number): Promise<{ forward: number; step: number; peak: string }> {
  const network = fakeQuantizedResNet20(batch);
  const options = { ...training, threads };
  await traceShapes(network.model, network.feeds);
  const forward = await openSession(blocked(network.model, await blockSize()), options);
  const model = await withGradients(network);
  const step = await openSession(model, options);
  const times = { forward: [] as number[], step: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    const pair = [await milliseconds(forward, network.feeds), await milliseconds(step, network.feeds)];
    // The first round allocates.
    if (round < 0) continue;
    times.forward.push(pair[0]!);
    times.step.push(pair[1]!);
  }
  await forward.dispose();
  await step.dispose();
  const peak = threads === 1 ? await shares(model, network.feeds, options) : '';
  return { forward: median(times.forward), step: median(times.step), peak };
}

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const threads of [1, 2]) {
    const { forward, step, peak } = await compare(threads);
    const detail = `batch ${batch}, ${threads} threads: forward ${forward.toFixed(0)} ms, step ${step.toFixed(0)} ms${peak && `; ${peak}`}`;
    results.push(
      result(`gradients: ResNet-20 step over forward, ${threads} threads`, step / forward, 'ratio', 5, detail),
    );
  }
  return results;
}
