import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { body, buildModel, f32, node, type ModelSpec } from '../support/build.ts';

/** A body in a body, reading values of every level; `direct` names an outer value as its output. */
const spec: ModelSpec = {
  inputs: { x: [2], c: { type: 'bool', dims: [] } },
  outputs: ['y'],
  initializers: { k: f32([2]) },
  nodes: [
    node('Relu', ['x'], ['r']),
    node('Neg', ['x'], ['direct']),
    node('If', ['c'], ['y'], {
      then_branch: body({
        outputs: ['t'],
        nodes: [
          node('Abs', ['r'], ['a']),
          node('If', ['c'], ['t'], {
            then_branch: body({ outputs: ['tt'], nodes: [node('Sum', ['a', 'r', 'k', 'k'], ['tt'])] }),
            else_branch: body({ outputs: ['te'], nodes: [node('Add', ['x', 'k'], ['te'])] }),
          }),
        ],
      }),
      else_branch: body({ outputs: ['direct'], nodes: [] }),
    }),
  ],
};

describe('subgraphs', () => {
  it('count as users of what they capture, at any depth', () => {
    const model = buildModel(spec);
    checkModel(model);
    const { values } = model.graph;
    const readers = (name: string) => [...values.get(name)!.users].map(([user, count]) => [user.name, count]);
    expect(readers('r')).toEqual([
      ['n_a', 1],
      ['n_tt', 1],
    ]);
    expect(readers('k')).toEqual([
      ['n_tt', 2],
      ['n_te', 1],
    ]);
    expect(values.get('r')!.soleUser).toBeUndefined();
    expect(values.get('direct')!.isOutput).toBe(true);
    expect([...model.allNodes()].map((each) => each.name)).toEqual([
      'n_r',
      'n_direct',
      'n_y',
      'n_a',
      'n_t',
      'n_tt',
      'n_te',
    ]);
  });

  it('follow a renamed or replaced value', () => {
    const model = buildModel(spec);
    const { graph } = model;
    graph.rename(graph.values.get('r')!, 'renamed');
    graph.replaceUses(graph.values.get('k')!, graph.values.get('x')!);
    checkModel(model);
    const outer = modelToProto(model).graph!.node![2]!;
    const inner = outer.attribute![0]!.g!.node![1]!.attribute![0]!.g!.node![0]!;
    expect(inner.input).toEqual(['a', 'renamed', 'x', 'x']);
  });

  it('find names outwards, inner ones first', () => {
    const model = buildModel(spec);
    const [, , branch] = model.graph.nodes();
    const [then] = branch!.subgraphs();
    expect(then!.find('a')!.graph).toBe(then);
    expect(then!.find('r')!.graph).toBe(model.graph);
    expect(model.graph.find('a')).toBeUndefined();
  });

  it('release every capture when their node is removed, body outputs too', () => {
    const model = buildModel({ ...spec, outputs: ['z'], nodes: [...spec.nodes, node('Relu', ['x'], ['z'])] });
    const { graph } = model;
    const [, , branch] = graph.nodes();
    graph.remove(branch!);
    for (const name of ['r', 'k', 'direct']) expect(graph.values.get(name)!.useCount).toBe(0);
    expect(graph.values.get('x')!.useCount).toBe(3);
    expect(graph.values.get('c')!.useCount).toBe(0);
    checkModel(model);
  });
});
