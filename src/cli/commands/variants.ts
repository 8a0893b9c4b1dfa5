/** `qdq variants`: every file that a runtime picks from by name, each verified, and one table. */
import type { VariantRow } from '../../pipeline/variants/variants.ts';
import { bytes, digits, percent } from '../../report/format.ts';
import { defineCommand } from '../command.ts';
import { runFlags } from '../request.ts';
import { columns, textOf } from '../text.ts';

export const variants = defineCommand({
  stages: ['variants'],
  summary: 'make the set of quantized files that transformers.js picks from, each verified',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  required: ['for', 'output'],
  examples: [
    [
      'variants model.onnx --for transformers.js -o onnx/',
      'model_fp16, _quantized, _int8, _uint8, _q4, _q4f16 beside a copy of model.onnx; on generated inputs',
    ],
    ['variants model.onnx --for transformers.js -o onnx/ --data samples.npz --json', 'compared on your samples'],
  ],
  async run({ positionals, values, console }) {
    const { makeVariants } = await import('../../pipeline/variants/variants.ts');
    const model = positionals[0]!;
    const result = await makeVariants({
      ...values,
      for: values.for!,
      output: values.output!,
      model,
      ...runFlags(values, console),
    });
    console.result(result, () =>
      textOf([
        ...columns([head, ...result.variants.map(cells)], [0, 1, 7]),
        'best: no other is at least as small, as fast and as exact',
      ]),
    );
    return result.variants.some(({ dtype, path }) => dtype !== 'fp32' && path !== undefined) ? 0 : 3;
  },
});

const head = ['dtype', 'file', 'size', 'smaller', 'SQNR', 'agreement', 'speed', ''];

function cells({ dtype, path, bytes: size, ratio, sqnrDb, agreement, speedup, pareto, reason }: VariantRow): string[] {
  const told = (value: number | null | undefined, text: (value: number) => string): string =>
    value === undefined || value === null ? '-' : text(value);
  return [
    dtype,
    path ?? '-',
    told(size, bytes),
    told(ratio, (value) => `${digits(value, 3)}x`),
    told(sqnrDb, (value) => `${digits(value, 3)} dB`),
    told(agreement, percent),
    told(speedup, (value) => `${digits(value, 3)}x`),
    reason !== undefined ? `not made: ${reason}` : pareto ? 'best' : '',
  ];
}
