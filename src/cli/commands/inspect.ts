/** The commands that look at one model: `qdq inspect` at any, `qdq lint` at a quantized one. */
import { defineCommand } from '../command.ts';
import { plural, bytes } from '../../report/format.ts';
import { columns, textOf, byFrequency, groupBy, grouped, someOf } from '../text.ts';
import type { Inspection, PortInfo, Problem } from '../../inspect/inspect.ts';

/** `qdq inspect`: what is in a model, what would fuse, what would run in int8. */
export const inspect = defineCommand({
  stages: ['inspect'],
  summary: 'show what is in a model, what can be fused and what can be quantized',
  positionals: [{ name: 'MODEL', describe: 'an ONNX model' }],
  examples: [
    ['inspect model.onnx', 'in words'],
    ['inspect model.onnx --json', 'everything, node by node'],
  ],
  async run({ positionals, values, console }) {
    const { inspectModel } = await import('../../inspect/inspect.ts');
    const inspection = await inspectModel(positionals[0]!, values);
    console.result(inspection, () => textOf(render(inspection)));
    return 0;
  },
});

function render(inspection: Inspection): string[] {
  const { producer, opsets, parameters, operators } = inspection;
  const opset = Object.entries(opsets).map(([domain, version]) =>
    domain === 'ai.onnx' ? `opset ${version}` : `${domain} ${version}`,
  );
  const external = inspection.externalData.map(
    ({ path, bytes: size }) => `  + ${path}, ${size === null ? 'MISSING' : bytes(size)}`,
  );
  const types = Object.entries(parameters.byType).sort(([, a], [, b]) => b.bytes - a.bytes);
  return [
    `${inspection.path}   ${bytes(inspection.bytes)}   IR ${inspection.ir}, ${opset.join(', ')}   ${producerOf(producer)}`.trimEnd(),
    ...external,
    'inputs',
    ...ports(inspection.inputs),
    'outputs',
    ...ports(inspection.outputs),
    `parameters: ${grouped(parameters.elements)} in ${plural(parameters.tensors, 'tensor')}, ${bytes(parameters.bytes)}`,
    ...columns(types.map(([type, t]) => [type, grouped(t.elements), bytes(t.bytes)])),
    `nodes: ${grouped(inspection.nodes)}${nodeNotes(inspection)}`,
    ...columns(byFrequency(operators).map(([op, count]) => [op, grouped(count)])),
    ...fusionLines(inspection),
    ...quantizationLines(inspection.quantization),
  ];
}

function producerOf({ name, version }: Inspection['producer']): string {
  return name === '' ? '' : `from ${name} ${version}`;
}

function ports(list: readonly PortInfo[]): string[] {
  const shape = ({ dims }: PortInfo): string =>
    dims === null ? '(shape unknown)' : `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
  return columns(
    list.map((port) => [port.name, port.type ?? '(not a tensor)', shape(port)]),
    [0, 1, 2],
  );
}

function nodeNotes({ unnamedNodes, bodyGraphs, functions, quantizeNodes }: Inspection): string {
  const notes = [
    ...(unnamedNodes > 0 ? [`${grouped(unnamedNodes)} without a name`] : []),
    ...(bodyGraphs > 0 ? [`in the graph and ${plural(bodyGraphs, 'body graph')}`] : []),
    ...(functions > 0 ? [plural(functions, 'function')] : []),
    ...(quantizeNodes > 0 ? ['already quantized'] : []),
  ];
  return notes.length > 0 ? ` (${notes.join(', ')})` : '';
}

function fusionLines({ fusion, nodes }: Inspection): string[] {
  if ('problem' in fusion) return problemLines('fusion', fusion);
  const applied = [...groupBy(fusion.applied, ({ pass }) => pass)].map(([pass, list]) => [pass, `${list.length} x`]);
  const refused = [...groupBy(fusion.refused, ({ pass, reason }) => `${pass}: ${reason}`)];
  return [
    `fusion: ${plural(nodes, 'node')} -> ${plural(fusion.nodesAfter, 'node')}`,
    ...columns(applied),
    ...refused.map(([reason, list]) => `  not fused: ${reason} (${someOf(list.map(({ node }) => node))})`),
  ];
}

function quantizationLines(quantization: Inspection['quantization']): string[] {
  if ('problem' in quantization) return problemLines('int8', quantization);
  const { target, int8, float } = quantization;
  const ops = byFrequency(int8).map(([op, count]) => `${op} ${count}`);
  return [
    `int8 on ${target}: ${ops.join(', ')}`,
    ...[...groupBy(float, ({ op, reason }) => `${op} stays float: ${reason}`)].map(
      ([reason, list]) => `  ${reason} (${list.length === 1 ? list[0]!.node : `${list.length} x`})`,
    ),
  ];
}

function problemLines(what: string, { problem, hint }: Problem): string[] {
  return [`${what}: no, ${problem}`, ...(hint === undefined ? [] : [`  ${hint}`])];
}

/** `qdq lint`: a quantized model, whoever made it, against the rules of a target. Exit code 1 when it breaks one. */
export const lint = defineCommand({
  stages: ['lint'],
  summary: 'check a quantized model against the rules of a target',
  positionals: [{ name: 'MODEL', describe: 'a quantized model' }],
  examples: [
    ['lint model.int8.onnx --target tensorrt', 'will TensorRT take it? exit code 1 when a rule is broken'],
    ['lint model.int8.onnx', "against this machine's target"],
  ],
  async run({ positionals, values, console }) {
    const { lintModel } = await import('../../inspect/lint.ts');
    const result = lintModel(positionals[0]!, values);
    const { path, target, rules, findings } = result;
    console.result(result, () =>
      textOf([
        findings.length === 0
          ? `${path} keeps every rule of ${target}`
          : `${path}: ${plural(findings.length, 'finding')} for ${target}`,
        ...columns(
          findings.map(({ rule, node, tensor, message, remedy }) => [
            rule,
            [node, tensor === node ? undefined : tensor].filter((word) => word !== undefined).join(' '),
            message,
            remedy,
          ]),
          [0, 1, 2, 3],
        ),
        `rules of ${target}`,
        ...columns(
          rules.map(({ id, text }) => [id, text]),
          [0, 1],
        ),
      ]),
    );
    return findings.length === 0 ? 0 : 1;
  },
});
