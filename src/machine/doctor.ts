/**
 * Whether qdq can work on this machine, and work well: the runtime, its int8 kernels, the CPU, memory, the temporary
 * folder, optional packages. Every finding that is not good says what to do about it.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { freemem, homedir, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { cpuInfo } from '../backends/cpu.ts';
import { loadRuntime, triedRuntimes } from '../backends/runtime.ts';
import { openSession } from '../backends/session.ts';
import { QdqError } from '../errors/qdq-error.ts';
import { Graph } from '../graph/graph.ts';
import { Model } from '../graph/model.ts';
import { Names } from '../graph/names.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { version } from '../process/version.ts';

export interface Finding {
  /** Stable, kebab-case. */
  readonly check: string;
  /** warn: works, but worse than it could. fail: qdq cannot work. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly hint?: string;
}

export interface Diagnosis {
  readonly version: string;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

export async function examine(): Promise<Diagnosis> {
  const runtime = checkRuntime();
  const findings = [
    checkNode(process.versions.node),
    runtime,
    ...(runtime.status === 'fail' ? [] : [await checkInt8()]),
    checkProtobuf(),
    checkCpu(),
    await checkSharp(),
    await checkTokenizers(() => import('@huggingface/tokenizers')),
    checkMemory(),
    checkTemporaryFolder(tmpdir()),
    checkInstallSetting(),
  ];
  return { version, healthy: findings.every(({ status }) => status !== 'fail'), findings };
}

export function checkNode(found: string): Finding {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 19);
  const detail = `Node.js ${found} on ${process.platform}/${process.arch}`;
  return good
    ? { check: 'node', status: 'ok', detail }
    : { check: 'node', status: 'fail', detail, hint: 'install Node.js 20.19 or later' };
}

function checkRuntime(): Finding {
  try {
    return checkRuntimeRelease(loadRuntime().env.versions.node);
  } catch (error) {
    return failure('onnxruntime', error);
  }
}

export function checkRuntimeRelease(found: string | undefined): Finding {
  const check = 'onnxruntime';
  const detail = `onnxruntime-node ${found ?? 'of unknown version'}`;
  if ((triedRuntimes as readonly (string | undefined)[]).includes(found)) return { check, status: 'ok', detail };
  return {
    check,
    status: 'warn',
    detail: `${detail}, with which qdq was not tried`,
    hint: `tried: ${triedRuntimes.join(', ')}; 'npm install onnxruntime-node@${triedRuntimes.at(-1)}' installs the last of them`,
  };
}

/** Its internals (lazy fields, unknown fields) carry the codec, so that package.json names one release. */
function checkProtobuf(): Finding {
  const require = createRequire(import.meta.url);
  const check = 'protobufjs';
  try {
    const { version: found } = require('protobufjs/package.json') as { version: string };
    const { dependencies } = require('qdq/package.json') as { dependencies: Readonly<Record<string, string>> };
    const wanted = dependencies[check]!;
    if (found === wanted) return { check, status: 'ok', detail: `protobufjs ${found}` };
    return {
      check,
      status: 'warn',
      detail: `protobufjs ${found}, where ${wanted} was tested`,
      hint: `'npm install protobufjs@${wanted}'`,
    };
  } catch (error) {
    return failure(check, error);
  }
}

/**
 * One u8 × s8 product of the largest values. Kernels without VNNI add two such products in 16 bits, which saturates:
 * the result then is too small, and that decides how weights should be quantized here.
 */
async function checkInt8(): Promise<Finding> {
  const [rows, depth, columns] = [4, 64, 32];
  try {
    const started = performance.now();
    const session = await openSession(productModel(rows, depth, columns), {}, 'the int8 probe');
    const a = { type: 'uint8', dims: [rows, depth], data: new Uint8Array(rows * depth).fill(255) } as const;
    const { y } = await session.run({ a });
    await session.dispose();
    const milliseconds = Math.round(performance.now() - started);
    const exact = (y!.data as Int32Array).every((sum) => sum === depth * 255 * 127);
    if (exact)
      return { check: 'int8', status: 'ok', detail: `int8 products run and are exact (probe: ${milliseconds} ms)` };
    return {
      check: 'int8',
      status: 'warn',
      detail: 'int8 products run, but large ones saturate on this CPU',
      hint: 'the default target of this machine keeps weights where they cannot saturate: do not give --target ort-cpu-x64',
    };
  } catch (error) {
    return failure('int8', error);
  }
}

function productModel(rows: number, depth: number, columns: number): Model {
  const graph = new Graph('probe', new Names());
  const a = graph.addInput('a', dataType('uint8').code, [rows, depth]);
  const b = graph.addInitializer(Tensor.of('b', 'int8', [depth, columns], new Int8Array(depth * columns).fill(127)));
  const product = graph.append(graph.makeNode('MatMulInteger', [a, b], { name: 'product', outputs: ['y'] }));
  product.output()!.setType(dataType('int32').code, [rows, columns]);
  graph.addOutput(product.output()!);
  return new Model(graph, { irVersion: 8, opsetImport: [{ version: 13 }] }, undefined);
}

function checkCpu(): Finding {
  const { model, arch, features, vnni, logicalCores } = cpuInfo();
  const detail = `${model}, ${logicalCores} ${logicalCores === 1 ? 'core' : 'cores'}`;
  if (vnni) return { check: 'cpu', status: 'ok', detail: `${detail}, VNNI: fast int8` };
  if (arch === 'arm64' && (features.includes('asimddp') || features.includes('i8mm'))) {
    return { check: 'cpu', status: 'ok', detail: `${detail}, dot product instructions: fast int8` };
  }
  if (features.length === 0)
    return { check: 'cpu', status: 'ok', detail: `${detail}, instruction sets cannot be read here` };
  return {
    check: 'cpu',
    status: 'warn',
    detail: `${detail}, no int8 dot product instructions`,
    hint: 'int8 models run here, but gain less speed: measure on the machine that will serve them',
  };
}

async function checkSharp(): Promise<Finding> {
  try {
    const { default: sharp } = await import('sharp');
    return {
      check: 'sharp',
      status: 'ok',
      detail: `sharp ${sharp.versions.sharp ?? ''} (libvips ${sharp.versions.vips}): image folders can be read`,
    };
  } catch {
    return {
      check: 'sharp',
      status: 'warn',
      detail: 'the optional package sharp cannot be loaded: image folders cannot be read',
      hint: "'npm install sharp', or give the samples as .npy, .npz or a reader module",
    };
  }
}

export async function checkTokenizers(load: () => Promise<{ Tokenizer: unknown }>): Promise<Finding> {
  const check = 'tokenizers';
  try {
    const { Tokenizer } = await load();
    if (typeof Tokenizer !== 'function') throw new TypeError('@huggingface/tokenizers has no Tokenizer');
    return { check, status: 'ok', detail: '@huggingface/tokenizers is installed: texts can be read' };
  } catch {
    return {
      check,
      status: 'warn',
      detail: 'the optional package @huggingface/tokenizers cannot be loaded: texts cannot be read',
      hint: "for .txt and .jsonl data 'npm install @huggingface/tokenizers'; tokens as .npy or .npz need nothing",
    };
  }
}

function checkMemory(): Finding {
  const gigabytes = (count: number): string => `${(count / 1e9).toFixed(1)} GB`;
  const available = process.availableMemory?.() ?? freemem();
  const detail = `${gigabytes(available)} of ${gigabytes(totalmem())} memory available`;
  if (available >= 1e9) return { check: 'memory', status: 'ok', detail };
  return {
    check: 'memory',
    status: 'warn',
    detail,
    hint: 'a model needs about its float size twice, and its activations: close other programs',
  };
}

export function checkTemporaryFolder(folder: string): Finding {
  const probe = join(folder, `qdq-doctor-${randomUUID()}`);
  try {
    writeFileSync(probe, '');
    rmSync(probe);
    return { check: 'temporary-folder', status: 'ok', detail: `${folder} can be written` };
  } catch (error) {
    const detail = `${folder} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
    return { check: 'temporary-folder', status: 'fail', detail, hint: 'set TMPDIR to a folder that can be written' };
  }
}

/** On linux/x64 the install script of onnxruntime-node downloads GPU libraries, and without network it fails. */
function checkInstallSetting(): Finding {
  const check = 'install-setting';
  const setting = 'onnxruntime-node-install=skip';
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { check, status: 'ok', detail: 'npm install needs no setting here' };
  const inEnvironment =
    process.env['ONNXRUNTIME_NODE_INSTALL'] === 'skip' || process.env['npm_config_onnxruntime_node_install'] === 'skip';
  if (inEnvironment || [process.cwd(), homedir()].some((folder) => hasLine(join(folder, '.npmrc'), setting))) {
    return { check, status: 'ok', detail: `${setting} is set: npm install works offline` };
  }
  return {
    check,
    status: 'warn',
    detail: `${setting} is not set: npm install downloads GPU libraries that qdq does not use, and fails offline`,
    hint: `put the line '${setting}' into the .npmrc of your project`,
  };
}

function hasLine(path: string, line: string): boolean {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .some((each) => each.replace(/\s/g, '') === line);
  } catch {
    return false;
  }
}

function failure(check: string, error: unknown): Finding {
  const detail = error instanceof Error ? error.message : String(error);
  const hint = error instanceof QdqError ? error.hint : undefined;
  return { check, status: 'fail', detail, ...(hint === undefined ? {} : { hint }) };
}
