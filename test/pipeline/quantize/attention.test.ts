/** Attention through whole commands: masks in every form, and the layers that `sensitivity` proposes to leave float. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { measureSensitivity, quantizeModel } from '../../../src/index.ts';
import { modelToProto } from '../../../src/graph/to-proto.ts';
import type { Model } from '../../../src/graph/model.ts';
import { encodeModel } from '../../../src/onnx/model-file.ts';
import { npyFile, temporaryFolder, zipFile } from '../../data/helpers.ts';
import { gaussian } from '../../quantized/make-quantized.ts';
import { attention } from '../../support/attention.ts';
import { masks } from '../../support/masks.ts';

const folder = temporaryFolder();
const tokens = 8;
const data = join(folder, 'x.npz');
writeFileSync(data, zipFile({ 'x.npy': npyFile('<f4', [24, 1, tokens, 32], gaussian(24 * tokens * 32, 2)) }));
const output = join(folder, 'out.onnx');

function saved(name: string, model: Model): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, encodeModel(modelToProto(model)));
  return path;
}

const sqnr = async (model: string, more: Partial<Parameters<typeof quantizeModel>[0]> = {}): Promise<number> => {
  const { report } = await quantizeModel({ model, output, data, threads: 1, layers: false, ...more });
  return report!.outputs[0]!.sqnrDb;
};

describe('masked attention', () => {
  const formats = ['qdq', 'qoperator', 'dynamic', 'fp16'] as const;
  const unmasked = new Map<string, number>();

  beforeAll(async () => {
    const plain = saved('unmasked', attention({ tokens }));
    for (const format of formats) unmasked.set(format, await sqnr(plain, { format }));
  });

  it.each(['Add of minus infinity', 'Where, then Div', 'computed from ones and zeros', 'a row without anything'])(
    '%s: about as good as without a mask, in every format',
    async (name) => {
      const model = saved('masked', attention({ tokens, ...masks[name] }));
      for (const format of formats)
        expect(await sqnr(model, { format }), format).toBeGreaterThan(unmasked.get(format)! - 4);
    },
  );
});

describe('sensitivity of attention', () => {
  const model = saved('plain', attention({ tokens }));

  it('finds a list although it wants ranges of its own', async () => {
    const { sensitivity } = await measureSensitivity({ model, data, threads: 1, until: 'output.sqnr >= 29' });
    expect(sensitivity.until!.pass).toBe(true);
    expect(sensitivity.exclude!.length).toBeGreaterThan(0);
    expect(sensitivity.layers.map(({ node }) => node)).toEqual(expect.arrayContaining(['scores', 'context']));
  });

  it('says of one layer left float what quantize --exclude gives, also where others follow it', async () => {
    const masked = saved('followed', attention({ tokens, ...masks['computed from ones and zeros'] }));
    const settings = { target: 'qnn', observer: 'minmax' } as const;
    const { sensitivity } = await measureSensitivity({ model: masked, data, threads: 1, ...settings });
    for (const node of ['scores', 'masked', 'q']) {
      const { leftFloat } = sensitivity.layers.find((layer) => layer.node === node)!;
      const real = await sqnr(masked, { ...settings, exclude: [node] });
      expect([node, Math.abs(leftFloat! - real) < 1.5]).toEqual([node, true]);
    }
  });
});
