import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/graph/spec.ts';
import { removeDead, sortNodes, topological } from '../../src/graph/walk.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { body, buildModel, f32, node } from '../support/build.ts';

/** Nodes in file order, each reading up to two earlier ones; some read them in a body only. */
const randomNodes = fc
  .array(fc.record({ a: fc.nat(), b: fc.nat(), inBody: fc.boolean() }), { minLength: 1, maxLength: 20 })
  .map((specs) => {
    const names = ['x'];
    return specs.map(({ a, b, inBody }, i): NodeProto => {
      const [first, second] = [names[a % names.length]!, names[b % names.length]!];
      names.push(`v${i}`);
      if (!inBody) return node('Add', [first, second], [`v${i}`]);
      const branch = (prefix: string) =>
        body({ outputs: [`${prefix}${i}`], nodes: [node('Add', [first, second], [`${prefix}${i}`])] });
      return node('If', ['c'], [`v${i}`], { then_branch: branch('t'), else_branch: branch('e') });
    });
  });

const inputs = { x: [1], c: { type: 'bool', dims: [] } } as const;

describe('topological order', () => {
  it('is found for nodes in any order, captures of bodies included', () => {
    fc.assert(
      fc.property(
        randomNodes.chain((nodes) =>
          fc.tuple(fc.constant(nodes), fc.shuffledSubarray(nodes, { minLength: nodes.length })),
        ),
        ([nodes, shuffled]) => {
          const model = buildModel({ inputs, outputs: [`v${nodes.length - 1}`], nodes: shuffled });
          sortNodes(model.graph);
          checkModel(model);
          expect(model.graph.nodeCount).toBe(nodes.length);
          expect(sortNodes(model.graph)).toBe(false);
        },
      ),
    );
  });

  it('stays when the nodes are in order already', () => {
    fc.assert(
      fc.property(randomNodes, (nodes) => {
        const model = buildModel({ inputs, outputs: ['v0'], nodes });
        expect(sortNodes(model.graph)).toBe(false);
        expect([...model.graph.nodes()].map((each) => each.name)).toEqual(nodes.map((each) => each.name));
      }),
    );
  });

  it('names a node of a cycle', () => {
    const nodes = [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])];
    const model = buildModel({ inputs, outputs: ['b'], nodes });
    expect(() => topological(model.graph)).toThrow(expect.objectContaining({ code: 'GRAPH_CYCLE' }));
  });

  it('walks chains deeper than the call stack', () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node('Relu', [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]));
    const model = buildModel({ inputs, outputs: ['v19999'], nodes: nodes.reverse() });
    expect(topological(model.graph)).toHaveLength(20_000);
    expect(removeDead(model.graph)).toEqual([]);
  });
});

describe('removeDead', () => {
  it('keeps exactly what the outputs depend on', () => {
    fc.assert(
      fc.property(randomNodes, fc.nat(), (nodes, pick) => {
        const output = `v${pick % nodes.length}`;
        const model = buildModel({ inputs, outputs: [output], nodes });
        // The oracle: reachability over names, written down independently of the IR.
        const needed = new Set([output]);
        for (const each of [...nodes].reverse()) {
          if (!needed.has(each.output![0]!)) continue;
          const inner = (each.attribute ?? []).flatMap((a) => a.g?.node?.flatMap((n) => n.input!) ?? []);
          for (const name of [...each.input!, ...inner]) needed.add(name);
        }
        removeDead(model.graph);
        checkModel(model);
        expect([...model.graph.nodes()].map((each) => each.output()!.name)).toEqual(
          nodes.map((each) => each.output![0]!).filter((name) => needed.has(name)),
        );
        expect(removeDead(model.graph)).toEqual([]);
      }),
    );
  });

  it('drops constants that lost their readers, and outer nodes that only dead inner ones read', () => {
    const branch = (output: string) =>
      body({ outputs: [output], nodes: [node('Neg', ['outer'], [`${output}dead`]), node('Relu', ['x'], [output])] });
    const model = buildModel({
      inputs,
      outputs: ['y'],
      initializers: { k: f32([1]) },
      nodes: [
        node('Add', ['x', 'k'], ['outer']),
        node('If', ['c'], ['y'], { then_branch: branch('t'), else_branch: branch('e') }),
      ],
    });
    expect(removeDead(model.graph).sort()).toEqual(['n_edead', 'n_outer', 'n_tdead']);
    expect(model.graph.values.has('k')).toBe(false);
    checkModel(model);
  });

  it('keeps inputs, also those that nothing reads', () => {
    const model = buildModel({
      inputs,
      outputs: ['y'],
      initializers: { k: f32([1]) },
      initializersAsInputs: ['k'],
      nodes: [node('Relu', ['x'], ['y'])],
    });
    removeDead(model.graph);
    expect(model.graph.inputs.map((value) => value.name)).toEqual(['x', 'c', 'k']);
  });
});
