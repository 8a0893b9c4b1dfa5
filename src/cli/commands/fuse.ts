/** `qdq fuse`: fold and fuse a float model, proven equal on samples or generated inputs. */
import type { FuseResult } from '../../pipeline/results.ts';
import { defineCommand } from '../command.ts';
import { shown, runFlags } from '../request.ts';
import { digits, plural } from '../../report/format.ts';
import { byFrequency, columns, groupBy, someOf, textOf } from '../text.ts';

export const fuse = defineCommand({
  stages: ['fuse'],
  summary: 'fold constants and fuse operators of a float model, and prove that the result is equal',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  required: ['output'],
  examples: [
    ['fuse model.onnx -o fused.onnx', 'prove equality on generated inputs'],
    ['fuse model.onnx --data images/ --preprocess imagenet -o fused.onnx', 'prove it on real ones'],
    ['fuse model.onnx -o fused.onnx --skip conv-bn', 'leave a fusion out'],
    ['fuse old.onnx -o new.onnx --opset 21', 'upgrade the operator set too'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const { fuseModel } = await import('../../pipeline/index.ts');
    const result = await fuseModel({ ...values, output: values.output!, model, ...runFlags(values, console) });
    console.result(result, () => render(result));
    return 0;
  },
});

function render(result: FuseResult): string {
  const { applied, refused, nodesBefore, nodesAfter, samples, synthetic } = result;
  const lines = [`${plural(nodesBefore, 'node')} -> ${plural(nodesAfter, 'node')}   ${shown(result.outputPath)}`];
  const fusions = byFrequency(
    Object.fromEntries([...groupBy(applied, ({ pass }) => pass)].map(([pass, list]) => [pass, list.length])),
  );
  if (fusions.length === 0) lines.push('nothing to fuse');
  lines.push(...columns(fusions.map(([pass, count]) => [pass, `${count} x`])));
  lines.push(...changedOps(result));
  const inputs = plural(samples, synthetic ? 'generated sample' : 'sample');
  lines.push(
    result.worstDifference === undefined
      ? 'not proven equal'
      : `largest relative difference ${digits(result.worstDifference, 2)} (bound ${result.bound}) on ${inputs}`,
  );
  if (refused.length > 0) lines.push('not fused:');
  for (const [reason, nodes] of groupBy(refused, ({ pass, reason: why }) => `${pass}: ${why}`)) {
    lines.push(`  ${reason} (${someOf(nodes.map(({ node }) => node))})`);
  }
  return textOf(lines);
}

function changedOps({ opsBefore, opsAfter }: FuseResult): string[] {
  const types = [...new Set([...Object.keys(opsBefore), ...Object.keys(opsAfter)])].sort();
  const changed = types.filter((type) => opsBefore[type] !== opsAfter[type]);
  const parts = changed.map((type) => `${type} ${opsBefore[type] ?? 0} -> ${opsAfter[type] ?? 0}`);
  return parts.length === 0 ? [] : [`operators: ${parts.join(', ')}`];
}
