/**
 * What `--target ort-web` makes runs in a browser: onnxruntime-web (WebAssembly, one thread) in headless Chromium gives what
 * onnxruntime-node gives. A server of this test serves page, runtime and model; nothing else is fetched.
 */
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { targets } from '../../src/backends/targets/index.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import { configureFormat } from '../../src/quantized/formats/index.ts';
import { planFor, quantize, run } from '../quantized/support.ts';
import { feeds, network } from '../quantized/target-network.ts';
import { chromiumPath, launch } from '../report/browser.ts';

const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
const types: Record<string, string> = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const page =
  '<!doctype html><script type="module">import * as ort from "/ort.wasm.min.mjs"; globalThis.ort = ort;</script>';

function serve(folder: string): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const name = basename(new URL(url, 'http://localhost').pathname);
    const path = [join(folder, name), join(runtime, name)].find((each) => name !== '' && existsSync(each));
    if (name === '') response.setHeader('content-type', 'text/html').end(page);
    else if (path === undefined) response.writeHead(404).end();
    else {
      response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
      createReadStream(path).pipe(response);
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe.skipIf(chromiumPath === undefined)('ort-web in chromium', { timeout: 180_000 }, () => {
  const target = targets.find(({ name }) => name === 'ort-web')!;
  const folder = mkdtempSync(join(tmpdir(), 'qdq-web-'));
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    server = await serve(folder);
    browser = await launch();
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  /** The first output of the model in the browser. */
  async function inBrowser(model: Model, name: string): Promise<number[]> {
    saveModel(modelToProto(model), join(folder, name));
    const tab = await browser.newPage();
    try {
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await tab.waitForFunction('globalThis.ort !== undefined');
      const { data, dims } = feeds['x']!;
      const script = `(async () => {
        ort.env.wasm.numThreads = 1;
        const session = await ort.InferenceSession.create('/${name}', { executionProviders: ['wasm'] });
        const x = new ort.Tensor('float32', Float32Array.from(${JSON.stringify([...(data as Float32Array)])}), ${JSON.stringify(dims)});
        return Array.from((await session.run({ x })).y.data);
      })()`;
      return (await tab.evaluate(script)) as number[];
    } finally {
      await tab.close();
    }
  }

  it('runs QDQ, fused or not, to within a step of what onnxruntime-node gives', async () => {
    const model = network();
    const { model: quantized, activations } = await quantize(model, feeds, planFor(model, {}, target));
    const here = [...((await run(quantized, feeds, { exactInt8: true })).outputs['y']!.data as Float32Array)];
    const there = await inBrowser(quantized, 'qdq.onnx');
    expect(there).toHaveLength(here.length);
    // The last Gemm writes float: each of its 128 inputs may be off by one code where the two builds round apart. They hardly do.
    const step = activations.get('flat')!.scale;
    here.forEach((value, index) => expect(Math.abs(value - there[index]!)).toBeLessThan(4 * step));
  });

  it('runs blocks of 4 bits', async () => {
    const model = network();
    const form = configureFormat('weight-only', target.scheme, { blockSize: 16 });
    const plan = form.plan(model, { target, scheme: target.scheme });
    const { model: blocks } = form.emit(model, plan, new Map());
    const here = [...((await run(blocks, feeds)).outputs['y']!.data as Float32Array)];
    const there = await inBrowser(blocks, 'blocks.onnx');
    const largest = Math.max(...here.map(Math.abs));
    // Level 4 multiplies in int8: activations rounded to 1/127 of their block's largest, in sums of up to 128 products.
    here.forEach((value, index) => expect(Math.abs(value - there[index]!)).toBeLessThan(0.03 * largest));
  });
});
