import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { failure, input, noise, png, readAll, temporaryFolder, zipFile } from './helpers.ts';

const info = input('x', ['N', 3, 7, 9]);
const channel = (image: { data: Uint8Array }, c: number): number[] =>
  Array.from(image.data).filter((_, i) => i % 3 === c);

async function folder(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const root = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

async function one(spec: string, image: Uint8Array, as = info) {
  const path = await folder({ 'a.png': image });
  const [sample] = await readAll(await openData({ path, preprocess: spec }, [as]));
  return sample!.inputs[as.name]!;
}

describe('image pixels', () => {
  it('become planar floats: scale, then mean and std, in the order of the channels', async () => {
    const image = noise(9, 7);
    const tensor = await one('scale=1/255 mean=.1,.2,.3 std=.5,.25,2 channels=bgr', await png(image));
    const expected = [2, 1, 0].flatMap((c, i) =>
      channel(image, c).map((v) => Math.fround((v * (1 / 255) - [0.1, 0.2, 0.3][i]!) / [0.5, 0.25, 2][i]!)),
    );
    expect(tensor).toEqual({ type: 'float32', dims: [1, 3, 7, 9], data: Float32Array.from(expected) });
  });

  it('stay as they are for NHWC uint8', async () => {
    const image = noise(9, 7);
    const tensor = await one('none', await png(image), input('x', [1, 7, 9, 3], 'uint8'));
    expect(tensor).toEqual({ type: 'uint8', dims: [1, 7, 9, 3], data: image.data });
  });

  it('become float16 words', async () => {
    const tensor = await one(
      'none',
      await png({ width: 1, height: 1, channels: 3, data: Uint8Array.of(0, 1, 2) }),
      input('x', [1, 3, 1, 1], 'float16'),
    );
    expect(tensor.data).toEqual(Uint16Array.of(0, 0x3c00, 0x4000));
  });

  it('become gray as in Pillow (golden), and gray images feed three channels', async () => {
    const golden = 'ZIqCXTepg6qFfVcyo36lf3dSw555n3pyTL6Yc5p1bEe4k26UjGdBs45oj4dhPK2Ir4qBXDeog6mEfFYxo32k';
    const tensor = await one('none', await png(noise(9, 7)), input('x', [1, 1, 7, 9]));
    expect(Buffer.from(Uint8Array.from(tensor.data as Float32Array)).toString('base64')).toBe(golden);
    const gray = await sharp(noise(9, 7).data.slice(0, 63), { raw: { width: 9, height: 7, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const { data } = await one('none', gray);
    expect(data).toEqual(Float32Array.from({ length: 189 }, (_, i) => noise(9, 7).data[i % 63]!));
  });

  it('drop alpha, and ignore the EXIF orientation', async () => {
    const image = noise(9, 7);
    const rgba = Uint8Array.from({ length: 9 * 7 * 4 }, (_, i) =>
      i % 4 === 3 ? 90 : image.data[(i >> 2) * 3 + (i % 4)]!,
    );
    const bytes = await sharp(rgba, { raw: { width: 9, height: 7, channels: 4 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const tensor = await one('none', bytes);
    expect(Array.from(tensor.data as Float32Array)).toEqual([0, 1, 2].flatMap((c) => channel(image, c)));
  });

  it('are cropped at the centre, the odd pixel at the right and bottom', async () => {
    const image = noise(9, 7);
    const { data } = await one('crop=4x4', await png(image), input('x', ['N', 3, 4, 4]));
    expect(data[0]).toBe(image.data[(1 * 9 + 2) * 3]);
    expect(data[15]).toBe(image.data[(4 * 9 + 5) * 3]);
  });

  it('resize to the shortest side, rounding half to even', async () => {
    const tensor = await one('resize=5', await png(noise(10, 20)), input('x', ['N', 3, 'h', 'w']));
    expect(tensor.dims).toEqual([1, 3, 10, 5]);
    const odd = await one('resize=2', await png(noise(5, 4)), input('x', ['N', 3, 'h', 'w']));
    expect(odd.dims).toEqual([1, 3, 2, 2]);
  });
});

describe('image folder', () => {
  it('labels by sorted class folders, ignores hidden and foreign files, follows links', async () => {
    const image = await png(noise(9, 7));
    const path = await folder({
      'cat/2.PNG': image,
      'cat/1.png': image,
      'ant/x/9.png': image,
      'ant/.h.png': image,
      '.git/a.png': image,
      'ant/note.txt': 'x',
    });
    symlinkSync(join(path, 'cat'), join(path, 'dog'));
    symlinkSync(path, join(path, 'ant', 'loop'));
    const dataset = await openData({ path }, [info]);
    expect(dataset).toMatchObject({ format: 'image-folder', count: 5, labelled: true, synthetic: false, source: path });
    const samples = await readAll(dataset);
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['ant/x/9.png', 0],
      ['cat/1.png', 1],
      ['cat/2.PNG', 1],
      ['dog/1.png', 2],
      ['dog/2.PNG', 2],
    ]);
    const picked = await readAll(dataset, [1, 3]);
    expect(picked.map(({ id }) => id)).toEqual(['cat/1.png', 'dog/1.png']);
    expect(dataset.idsHash([1, 3])).toMatch(/^[0-9a-f]{64}$/);
    expect(dataset.idsHash([1, 3])).not.toBe(dataset.idsHash([1, 2]));
  });

  it('assumes a preprocessing and says so', async () => {
    const dataset = await openData({ path: await folder({ 'a.png': await png(noise(18, 14)) }) }, [info]);
    expect(dataset.preprocess).toContain('resize=9x7');
    expect(dataset.preprocess).toContain('assumed');
    expect(dataset.labelled).toBe(false);
    expect((await readAll(dataset))[0]!.inputs['x']!.dims).toEqual([1, 3, 7, 9]);
  });

  it('reads labels.csv: quoted names, other columns, class names', async () => {
    const image = await png(noise(9, 7));
    const indices = 'name,file,class_index\r\n"b, ""B""",b.png,7\r\na,a.png,3\r\n';
    const numbered = await readAll(
      await openData(
        { path: await folder({ 'b.png': image, 'a.png': image, 'c.png': image, 'labels.csv': indices }) },
        [info],
      ),
    );
    expect(numbered.map(({ id, label }) => [id, label])).toEqual([
      ['a.png', 3],
      ['b.png', 7],
    ]);
    const names = 'file,label\n"x, y.png",dog\na.png,cat\n';
    const named = await readAll(
      await openData({ path: await folder({ 'x, y.png': image, 'a.png': image, 'labels.csv': names }) }, [info]),
    );
    expect(named.map(({ id, label }) => [id, label])).toEqual([
      ['a.png', 0],
      ['x, y.png', 1],
    ]);
  });

  it.each([
    ['file,klass\na.png,1', 'DATA_LABELS', 'klass'],
    ['file,class_index\nb.png,1', 'DATA_LABELS', "row 2: there is no file 'b.png'"],
    ['file,class_index\na.png,one', 'DATA_LABELS', 'one'],
    ['file,label\na.png,1\na.png,1', 'DATA_LABELS', 'twice'],
    ['file,label\n"a.png,1', 'DATA_LABELS', 'quoted'],
  ])('refuses the table %j', async (table, code, text) => {
    const path = await folder({ 'a.png': await png(noise(9, 7)), 'labels.csv': table });
    const error = await failure(openData({ path }, [info]));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
  });

  it('names what is wrong with a folder', async () => {
    const image = await png(noise(9, 7));
    expect((await failure(openData({ path: temporaryFolder() }, [info]))).code).toBe('DATA_EMPTY');
    expect((await failure(openData({ path: await folder({ 'a.txt': 'x' }) }, [info]))).message).toContain('a.txt');
    expect((await failure(openData({ path: await folder({ 'a.png': image, 'b/c.png': image }) }, [info]))).code).toBe(
      'DATA_LAYOUT',
    );
    const splits = await folder({ 'train/cat/a.png': image, 'val/cat/b.png': image });
    expect((await failure(openData({ path: splits }, [info]))).hint).toContain('train');
    expect((await failure(openData({ path: splits }, [info, info]))).code).toBe('DATA_NOT_IMAGES');
  });

  it('names the image that cannot be decoded', async () => {
    const whole = await sharp(noise(64, 64).data, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    for (const bytes of [whole.subarray(0, whole.length >> 1), Buffer.from('no image')]) {
      const dataset = await openData({ path: await folder({ 'ok.jpg': whole, 'zz.jpg': bytes }) }, [info]);
      const error = await failure(readAll(dataset));
      expect([error.code, error.message]).toEqual(['DATA_IMAGE', expect.stringContaining('zz.jpg')]);
    }
  });

  it('compares shapes before the first image where it can, else with the image', async () => {
    const path = await folder({ 'a.png': await png(noise(9, 7)) });
    const early = await failure(openData({ path, preprocess: 'resize=8x8' }, [info]));
    expect([early.code, early.message]).toEqual([
      'PREPROCESS_SHAPE',
      expect.stringMatching(/\[1, 3, 8, 8\].*\[N, 3, 7, 9\]/),
    ]);
    const channels = await failure(openData({ path, preprocess: 'channels=gray' }, [info]));
    expect([channels.code, channels.message]).toEqual(['PREPROCESS_SHAPE', expect.stringContaining('[1, 1, ?, ?]')]);
    const late = await failure(openData({ path, preprocess: 'resize=14' }, [info]).then((dataset) => readAll(dataset)));
    expect([late.code, late.message]).toEqual([
      'DATA_SHAPE',
      expect.stringMatching(/a\.png.*\[N, 3, 7, 9\].*\[1, 3, 14, 18\]/),
    ]);
    const crop = await failure(
      openData({ path, preprocess: 'crop=9x8' }, [input('x', [1, 3, 8, 9])]).then((dataset) => readAll(dataset)),
    );
    expect(crop.code).toBe('PREPROCESS_CROP');
  });
});

describe('zip of images', () => {
  it.each([{}, { deflate: true }, { zip64: true }, { deflate: true, zip64: true }])(
    'reads the same as the folder, %o',
    async (options) => {
      const [a, b] = [await png(noise(9, 7)), await png(noise(9, 7, 5))];
      const files = { 'ship/2.png': a, 'car/1.png': b, '__MACOSX/car/1.png': a };
      const archive = join(temporaryFolder(), 'set.ZIP');
      writeFileSync(archive, zipFile({ 'car/': Buffer.alloc(0), ...files }, options));
      const plain = await folder({ 'ship/2.png': a, 'car/1.png': b });
      const dataset = await openData({ path: archive, preprocess: 'none' }, [info]);
      expect(dataset.count).toBe(2);
      expect(await readAll(dataset)).toEqual(
        await readAll(await openData({ path: plain, preprocess: 'none' }, [info])),
      );
    },
  );

  it('looks inside one wrapping folder', async () => {
    const image = await png(noise(9, 7));
    const archive = join(temporaryFolder(), 'set.zip');
    writeFileSync(archive, zipFile({ 'set/b/1.png': image, 'set/a/1.png': image }));
    const samples = await readAll(await openData({ path: archive }, [info]));
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['set/a/1.png', 0],
      ['set/b/1.png', 1],
    ]);
  });

  it('names what is wrong with an archive', async () => {
    const image = await png(noise(9, 7));
    const path = join(temporaryFolder(), 'set.zip');
    const code = async (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      return (await failure(openData({ path }, [info]).then((dataset) => readAll(dataset)))).code;
    };
    const good = zipFile({ 'a.png': image });
    const damaged = Buffer.from(good);
    damaged[60]! ^= 1;
    const deflated = zipFile({ 'a.png': image }, { deflate: true });
    deflated.fill(0xff, 40, 60);
    expect(await code(good.subarray(0, good.length - 30))).toBe('DATA_ZIP');
    expect(await code(Buffer.alloc(0))).toBe('DATA_ZIP');
    expect(await code(damaged)).toBe('DATA_ZIP');
    expect(await code(deflated)).toBe('DATA_ZIP');
    expect(await code(zipFile({ 'a.png': image }, { flags: 1 }))).toBe('DATA_ZIP');
    expect(await code(zipFile({ 'a.png': image }, { method: 14 }))).toBe('DATA_ZIP_METHOD');
    expect(await code(zipFile({}))).toBe('DATA_EMPTY');
  });
});
