/** `qdq lint`: a quantized model, whoever made it, against the rules of a target. Exit code 1 when it breaks one. */
import { defineCommand } from '../command.ts';
import { plural } from '../../report/format.ts';
import { columns, textOf } from '../text.ts';

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
