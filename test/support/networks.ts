/**
 * Generated networks of known architectures, for benchmarks and end-to-end tests: BatchNorm folded, weights uniform with He's
 * variance (He et al. 2015), so that activations keep a sensible scale at any depth. Same options, same bytes.
 */
import { random, type Random } from '../../src/data/random.ts';
import type { Model } from '../../src/graph/model.ts';
import { elementCount } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, f32, node, scalar, type Constant } from './build.ts';

export interface NetworkOptions {
  /** Height and width of the input; default 224. */
  readonly size?: number;
  /** Default 'N', a free batch axis. */
  readonly batch?: number | string;
  /** Default 1000. */
  readonly classes?: number;
  readonly seed?: number;
}

export interface ResNetOptions extends NetworkOptions {
  /** Bottleneck blocks per stage; default that of ResNet-50, [3, 4, 6, 3]. */
  readonly blocks?: readonly number[];
  /** Channels of the stem and of the first stage's bottleneck; default 64. */
  readonly width?: number;
}

export interface MobileNetOptions extends NetworkOptions {
  /** Factor on all channels; default 1. */
  readonly width?: number;
}

/** He et al. 2016, table 1: bottleneck blocks, stride in the 3x3 convolution, Conv → Relu with residual Add → Relu. */
export function resnet(options: ResNetOptions = {}): Model {
  const { blocks = [3, 4, 6, 3], width = 64 } = options;
  const net = new Network(options.seed ?? 0);
  let x = net.maxPool(net.relu(net.conv('input', 3, width, { kernel: 7, stride: 2 })));
  let channels = width;
  blocks.forEach((count, stage) => {
    const inner = width * 2 ** stage;
    for (let block = 0; block < count; block++) {
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const outer = inner * 4;
      let y = net.relu(net.conv(x, channels, inner, { kernel: 1 }));
      y = net.relu(net.conv(y, inner, inner, { kernel: 3, stride }));
      // A small last convolution keeps the residual sum from growing with depth.
      y = net.conv(y, inner, outer, { kernel: 1, gain: 0.3 });
      const shortcut = block === 0 ? net.conv(x, channels, outer, { kernel: 1, stride, gain: 0.7 }) : x;
      x = net.relu(net.add(y, shortcut));
      channels = outer;
    }
  });
  return net.classifier(x, channels, options);
}

/** Sandler et al. 2018, table 2: inverted residuals, Relu6 as Clip, linear bottlenecks. */
export function mobilenet(options: MobileNetOptions = {}): Model {
  const scaled = (channels: number): number => Math.max(8, Math.round((channels * (options.width ?? 1)) / 8) * 8);
  const net = new Network(options.seed ?? 0);
  let channels = scaled(32);
  let x = net.relu6(net.conv('input', 3, channels, { kernel: 3, stride: 2 }));
  const stages = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const;
  for (const [expansion, out, count, firstStride] of stages) {
    for (let block = 0; block < count; block++) {
      const stride = block === 0 ? firstStride : 1;
      const inner = channels * expansion;
      let y = expansion === 1 ? x : net.relu6(net.conv(x, channels, inner, { kernel: 1 }));
      y = net.relu6(net.conv(y, inner, inner, { kernel: 3, stride, groups: inner }));
      y = net.conv(y, inner, scaled(out), { kernel: 1, gain: 0.7 });
      x = stride === 1 && channels === scaled(out) ? net.add(y, x) : y;
      channels = scaled(out);
    }
  }
  const last = scaled(1280);
  return net.classifier(net.relu6(net.conv(x, channels, last, { kernel: 1 })), last, options);
}

/** Iandola et al. 2016, version 1.1: fire modules, whose two expansions are joined by Concat, and a convolution as classifier. */
export function squeezenet(options: NetworkOptions = {}): Model {
  const net = new Network(options.seed ?? 0);
  let x = net.maxPool(net.relu(net.conv('input', 3, 64, { kernel: 3, stride: 2 })));
  let channels = 64;
  for (const [squeeze, expand, pooled] of [
    [16, 64, false],
    [16, 64, true],
    [32, 128, false],
    [32, 128, true],
    [48, 192, false],
    [48, 192, false],
    [64, 256, false],
    [64, 256, false],
  ] as const) {
    const y = net.relu(net.conv(x, channels, squeeze, { kernel: 1 }));
    const sides = ([1, 3] as const).map((kernel) => net.relu(net.conv(y, squeeze, expand, { kernel })));
    x = net.concat(sides);
    if (pooled) x = net.maxPool(x);
    channels = 2 * expand;
  }
  return net.classifier(x, channels, { size: 227, ...options });
}

/** The activations an int8 model quantizes: everything but what a Relu or Clip takes over at once. */
export function quantizedActivations(model: Model): string[] {
  const made = [...model.graph.nodes()].flatMap((each) => each.outputs.filter((value) => value !== null));
  return [...model.feeds, ...made].filter((value) => !value.soleUser?.is('Relu', 'Clip')).map(({ name }) => name);
}

interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  /** Factor on He's standard deviation. */
  readonly gain?: number;
}

class Network {
  readonly #numbers: Random;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: Record<string, Constant> = { zero: scalar('float32', 0), six: scalar('float32', 6) };

  constructor(seed: number) {
    this.#numbers = random(seed);
  }

  conv(x: string, from: number, to: number, { kernel, stride = 1, groups = 1, gain = 1 }: ConvOptions): string {
    const pad = (kernel - 1) / 2;
    const name = `conv${this.#nodes.length}`;
    this.#initializers[`${name}_w`] = this.#weights([to, from / groups, kernel, kernel], gain);
    this.#initializers[`${name}_b`] = f32(
      [to],
      Array.from({ length: to }, () => 0.1 * this.#uniform()),
    );
    const attributes = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: groups,
    };
    return this.#apply('Conv', [x, `${name}_w`, `${name}_b`], name, attributes);
  }

  relu(x: string): string {
    return this.#apply('Relu', [x], `relu${this.#nodes.length}`);
  }

  relu6(x: string): string {
    return this.#apply('Clip', [x, 'zero', 'six'], `relu6_${this.#nodes.length}`);
  }

  add(a: string, b: string): string {
    return this.#apply('Add', [a, b], `add${this.#nodes.length}`);
  }

  concat(parts: readonly string[]): string {
    return this.#apply('Concat', parts, `concat${this.#nodes.length}`, { axis: 1 });
  }

  maxPool(x: string): string {
    return this.#apply('MaxPool', [x], `pool${this.#nodes.length}`, {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    });
  }

  classifier(x: string, channels: number, { size = 224, batch = 'N', classes = 1000 }: NetworkOptions): Model {
    const pooled = this.#apply('Flatten', [this.#apply('GlobalAveragePool', [x], 'average')], 'features');
    this.#initializers['fc_w'] = this.#weights([classes, channels], 1);
    this.#initializers['fc_b'] = f32([classes], new Float32Array(classes));
    this.#apply('Gemm', [pooled, 'fc_w', 'fc_b'], 'logits', { transB: 1 });
    return buildModel({
      inputs: { input: [batch, 3, size, size] },
      initializers: this.#initializers,
      nodes: this.#nodes,
      outputs: { logits: [batch, classes] },
    });
  }

  #apply(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, number | number[]> = {},
  ): string {
    this.#nodes.push(node(opType, inputs, [output], attributes));
    return output;
  }

  #weights(dims: readonly number[], gain: number): Constant {
    const fanIn = elementCount(dims.slice(1));
    const limit = gain * Math.sqrt(6 / fanIn);
    const data = new Float32Array(elementCount(dims));
    for (let i = 0; i < data.length; i++) data[i] = limit * this.#uniform();
    return { type: 'float32', dims, data };
  }

  /** In [-1, 1). */
  #uniform(): number {
    return this.#numbers.uint32() / 2 ** 31 - 1;
  }
}
