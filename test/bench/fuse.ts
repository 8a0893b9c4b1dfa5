/** Fusing a 50,000-node graph: time linear in nodes (twice the nodes, at most 2.3 times the time) and under 5 s. */
import { createExecutor } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { buildModel, f32, i64, node, type Constant } from '../support/build.ts';
import { median, result, type BenchResult } from './bench.ts';

const rounds = 3;

/** Blocks of ten nodes as exporters write them: conv-bn-relu twice, a residual, a shape constant, a reshape and an identity. */
function network(nodes: number): Model {
  const list = [];
  const initializers: Record<string, Constant> = {
    w: f32([2, 2, 1, 1]),
    gamma: f32([2], [1, 1.5]),
    beta: f32([2], [0, 0.5]),
    mean: f32([2], [0, 0.1]),
    variance: f32([2], [1, 0.5]),
  };
  let from = 'x';
  for (let block = 0; block < nodes / 10; block++) {
    const name = (part: string): string => `b${block}_${part}`;
    const bn = ['gamma', 'beta', 'mean', 'variance'];
    list.push(
      node('Conv', [from, 'w'], [name('c1')]),
      node('BatchNormalization', [name('c1'), ...bn], [name('n1')]),
      node('Relu', [name('n1')], [name('r1')]),
      node('Conv', [name('r1'), 'w'], [name('c2')]),
      node('BatchNormalization', [name('c2'), ...bn], [name('n2')]),
      node('Add', [name('n2'), from], [name('s')]),
      node('Relu', [name('s')], [name('r2')]),
      node('Constant', [], [name('shape')], { value: i64([1, 2, 4, 4]) }),
      node('Reshape', [name('r2'), name('shape')], [name('f')]),
      node('Identity', [name('f')], [name('out')]),
    );
    from = name('out');
  }
  return buildModel({ inputs: { x: [1, 2, 4, 4] }, outputs: [from], initializers, nodes: list });
}

async function seconds(nodes: number): Promise<number> {
  const model = network(nodes);
  const start = performance.now();
  await fuse(model, { executor: createExecutor() });
  return (performance.now() - start) / 1000;
}

export async function run(): Promise<BenchResult[]> {
  await seconds(1000);
  const [small, large]: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    small!.push(await seconds(25_000));
    large!.push(await seconds(50_000));
  }
  const [half, whole] = [median(small!), median(large!)];
  const detail = `25,000 nodes ${half.toFixed(2)} s, 50,000 nodes ${whole.toFixed(2)} s`;
  return [
    result('fuse: 50,000 nodes, time over half the nodes', whole / half, 'ratio', 2.3, detail),
    result('fuse: 50,000 nodes', whole, 's', 5, detail),
  ];
}
