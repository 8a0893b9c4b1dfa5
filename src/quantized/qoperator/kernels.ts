/** What each operator becomes on codes. To add one: a row in the table below. */
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/** A quantized tensor: its codes and the constants that give them meaning. */
export interface Codes {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

/** One operator between quantizers. */
export interface Group {
  readonly node: Node;
  /** Of the default domain. */
  readonly opset: number;
  /** The codes behind an input, or undefined where none are read. */
  input(index: number): Codes | undefined;
  /** The parameters of the (first) result; undefined when it is read in float. */
  readonly output: Codes | undefined;
}

/** How an operator is written on codes. */
export interface Kernel {
  /** It can write float, so that a result without quantizer needs no QuantizeLinear. */
  readonly floatOutput?: boolean;
  /** The node on codes, not yet placed and without outputs; undefined when this group has none. */
  lower(group: Group): Node | undefined;
}

const contrib = 'com.microsoft';

function build(
  { node }: Group,
  op: string,
  domain: string,
  inputs: readonly (Value | null)[],
  skip: readonly string[] = [],
): Node {
  const made = node.graph!.makeNode(op, inputs, { name: node.name, domain, outputs: [] });
  for (const [name, attribute] of node.attributes) if (!skip.includes(name)) made.attributes.set(name, attribute);
  return made;
}

const all = ({ codes, scale, zeroPoint }: Codes): Value[] => [codes, scale, zeroPoint];
const parameters = ({ scale, zeroPoint }: Codes): Value[] => [scale, zeroPoint];

const conv: Kernel = {
  lower(group) {
    const [x, w] = [group.input(0), group.input(1)];
    const bias = group.input(2);
    if (!x || !w || (group.node.input(2) && !bias)) return undefined;
    const inputs = [...all(x), ...all(w), ...parameters(group.output!), ...(bias ? [bias.codes] : [])];
    return build(group, 'QLinearConv', '', inputs);
  },
};

const matmul: Kernel = {
  floatOutput: true,
  lower(group) {
    const [a, b] = [group.input(0), group.input(1)];
    if (!a || !b) return undefined;
    if (group.output) return build(group, 'QLinearMatMul', '', [...all(a), ...all(b), ...parameters(group.output)]);
    const inputs = [a.codes, b.codes, a.scale, b.scale, a.zeroPoint, b.zeroPoint];
    return build(group, 'MatMulIntegerToFloat', contrib, inputs);
  },
};

const gemm: Kernel = {
  floatOutput: true,
  lower(group) {
    const [a, b] = [group.input(0), group.input(1)];
    const bias = group.input(2);
    if (!a || !b || (group.node.input(2) && !bias)) return undefined;
    const output = group.output ? parameters(group.output) : [];
    const inputs = [...all(a), ...all(b), bias?.codes ?? null, ...output];
    if (!bias && !group.output) inputs.pop();
    return build(group, 'QGemm', contrib, inputs, ['beta']);
  },
};

/** Both sides with parameters, then those of the result. */
function binary(op: string): Kernel {
  return {
    lower(group) {
      const [a, b] = [group.input(0), group.input(1)];
      return a && b && build(group, op, contrib, [...all(a), ...all(b), ...parameters(group.output!)]);
    },
  };
}

/** One operand, its parameters, those of the result. */
function unary(op: string, extra: (made: Node, group: Group) => void = () => undefined): Kernel {
  return {
    lower(group) {
      const x = group.input(0);
      const made = x && build(group, op, contrib, [...all(x), ...parameters(group.output!)]);
      if (made) extra(made, group);
      return made;
    },
  };
}

/** The integer kernel knows no dilations. */
const averagePool: Kernel = {
  lower(group) {
    const x = group.input(0);
    if (!x || group.node.ints('dilations')?.some((dilation) => dilation !== 1)) return undefined;
    return build(group, 'QLinearAveragePool', contrib, [...all(x), ...parameters(group.output!)], ['dilations']);
  },
};

const concat: Kernel = {
  lower(group) {
    const inputs = [...group.node.inputs.keys()].map((index) => group.input(index));
    if (inputs.includes(undefined)) return undefined;
    return build(group, 'QLinearConcat', contrib, [...parameters(group.output!), ...inputs.flatMap((x) => all(x!))]);
  },
};

const where: Kernel = {
  lower(group) {
    const [x, y] = [group.input(1), group.input(2)];
    const condition = group.node.input(0)!;
    return (
      x && y && build(group, 'QLinearWhere', contrib, [condition, ...all(x), ...all(y), ...parameters(group.output!)])
    );
  },
};

/** Operators that move or select codes, which have to mean the same before and after. */
const moved: Kernel = {
  lower(group) {
    const { node, output } = group;
    const x = group.input(0);
    if (!x || !sameMeaning(x, output!)) return undefined;
    const rest = node.inputs.slice(1);
    // What is padded stands for 0, whose code is the zero point.
    if (node.is('Pad')) rest[1] = x.zeroPoint;
    return build(group, node.opType, '', [x.codes, ...rest]);
  },
};

function sameMeaning(a: Codes, b: Codes): boolean {
  const same = (x: Value, y: Value): boolean =>
    x === y || (x.constant !== undefined && x.constant.floats()[0] === y.constant?.floats()[0]);
  return same(a.scale, b.scale) && same(a.zeroPoint, b.zeroPoint);
}

/** By operator type. */
export const kernels: ReadonlyMap<string, Kernel> = new Map([
  ['Conv', conv],
  ['MatMul', matmul],
  ['Gemm', gemm],
  ['Add', binary('QLinearAdd')],
  ['Mul', binary('QLinearMul')],
  ['Concat', concat],
  ['Where', where],
  ['LeakyRelu', unary('QLinearLeakyRelu')],
  ['Sigmoid', unary('QLinearSigmoid')],
  ['Softmax', unary('QLinearSoftmax', setOpset)],
  ['GlobalAveragePool', unary('QLinearGlobalAveragePool')],
  ['AveragePool', averagePool],
  ...[
    ...['MaxPool', 'Resize', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze'],
    ...['Slice', 'Split', 'Expand', 'Gather', 'Pad'],
  ].map((op) => [op, moved] as const),
]);

/** The meaning of `axis` changed with opset 13: the kernel asks which it is. */
function setOpset(made: Node, { opset }: Group): void {
  made.setInt('opset', opset);
  if (!made.attributes.has('axis')) made.setInt('axis', opset >= 13 ? -1 : 1);
}
