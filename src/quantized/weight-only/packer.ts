/**
 * Block quantization, round to nearest or HQQ, of weights of any size: rows of the result are made panel by panel in WebAssembly, when
 * they are read, so that saving a model holds one panel and not the tensor. The scales and zero points of all panels, a small
 * part of the whole, are kept from the reading of the codes until they are read themselves.
 *
 * Bit for bit what quantizeBlocks and packCodes (blocks.ts) and quantizeBlocksHqq (hqq.ts) give, which say what the kernel computes.
 */
import { copyInto } from '../../onnx/bytes.ts';
import type { ByteSource, Payload } from '../../onnx/messages.ts';
import kernel from '../kernels/blocks.wasm.ts';
import { packCodes, type BlockBits } from './blocks.ts';

/** Weights to be packed, and how. */
export interface PackRequest {
  /** The weights as float32 bytes. */
  readonly weights: Payload;
  /** rows: [rows, cols], as the result lies. columns: [cols, rows], as MatMul keeps it. */
  readonly layout: 'rows' | 'columns';
  readonly rows: number;
  /** The reduction, along which blocks run. */
  readonly cols: number;
  readonly blockSize: number;
  readonly bits: BlockBits;
  readonly symmetric: boolean;
  /** Scales and zero points by HQQ (hqq.ts); not of symmetric blocks. */
  readonly hqq?: boolean;
  /** Whether the codes that pad the last block of a row are written. */
  readonly padded: boolean;
}

/** What is made of the weights when it is read. */
export interface PackedBlocks {
  /** Packed codes, row by row. */
  readonly codes: ByteSource;
  /** float32 [rows, blocks] */
  readonly scales: ByteSource;
  /** Packed like codes, row by row; undefined for symmetric blocks. */
  readonly zeroPoints: ByteSource | undefined;
}

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Kernel {
  readonly memory: Memory;
  columns(...parameters: number[]): void;
  rows(...parameters: number[]): void;
}

/** Bytes of weights and of codes that a panel may take. */
const panelLimit = 2 ** 25;
const pageSize = 2 ** 16;
/** Sixteen rows of a block of 256, the largest. */
const scratchSize = 2 ** 14;

/** What is used of it: TypeScript knows it in the library of the browser only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Module: new (bytes: Uint8Array) => object; Instance: new (module: object) => { exports: Kernel } };
};

let loaded: Kernel | undefined;
/** Whose panel lies in the memory of the kernel. */
let tenant: object | undefined;

function load(): Kernel {
  loaded ??= new WebAssembly.Instance(new WebAssembly.Module(fromBase64(kernel))).exports;
  return loaded;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Promises packed blocks: nothing is read before they are. */
export function packBlocks(request: PackRequest): PackedBlocks {
  const packer = new Packer(request);
  return {
    codes: sourceOf(packer.codeBytes, (offset, target) => packer.readCodes(offset, target)),
    scales: sourceOf(packer.scaleBytes, (offset, target) => packer.readScales(offset, target)),
    zeroPoints: request.symmetric
      ? undefined
      : sourceOf(packer.zeroBytes, (offset, target) => packer.readZeroPoints(offset, target)),
  };
}

function sourceOf(byteLength: number, readInto: (offset: number, target: Uint8Array) => void): ByteSource {
  return {
    byteLength,
    readInto,
    read(offset, length) {
      const target = new Uint8Array(length);
      readInto(offset, target);
      return target;
    },
  };
}

/** Scales and zero points of every row, once its panel was made. */
interface Parameters {
  readonly scales: Float32Array;
  /** One per byte. */
  readonly zeroPoints: Uint8Array;
  /** Rows made so far, from the first on. */
  rows: number;
}

class Packer {
  readonly codeBytes: number;
  readonly scaleBytes: number;
  readonly zeroBytes: number;
  readonly #request: PackRequest;
  readonly #blocks: number;
  /** Bytes of a row in the kernel's memory, and in the result. */
  readonly #stride: number;
  readonly #rowBytes: number;
  readonly #panelRows: number;
  readonly #token = {};
  #panel = -1;
  #parameters: Parameters | undefined;

  constructor(request: PackRequest) {
    const { rows, cols, blockSize, bits, padded } = request;
    this.#request = request;
    this.#blocks = Math.ceil(cols / blockSize);
    this.#stride = (this.#blocks * blockSize * bits) / 8;
    this.#rowBytes = padded ? this.#stride : Math.ceil((cols * bits) / 8);
    this.codeBytes = rows * this.#rowBytes;
    this.scaleBytes = rows * this.#blocks * 4;
    this.zeroBytes = rows * Math.ceil((this.#blocks * bits) / 8);
    const depth = request.layout === 'rows' ? cols : blockSize;
    const fitting = Math.floor(panelLimit / (4 * Math.max(depth, cols / 8)));
    this.#panelRows = Math.min(rows, Math.max(4, fitting - (fitting % 4)));
  }

  readCodes(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const row = Math.floor(at / this.#rowBytes);
      const first = row - (row % this.#panelRows);
      this.#make(first / this.#panelRows);
      const rest = at - row * this.#rowBytes;
      // Unpadded rows are copied one by one; padded ones lie one after the other.
      const end = this.#rowBytes === this.#stride ? Math.min(first + this.#panelRows, this.#request.rows) : row + 1;
      const count = Math.min(target.length - done, (end - row) * this.#rowBytes - rest);
      const from = scratchSize + (row - first) * this.#stride + rest;
      target.set(new Uint8Array(load().memory.buffer, from, count), done);
      done += count;
    }
  }

  readScales(offset: number, target: Uint8Array): void {
    const { scales } = this.#whole();
    target.set(new Uint8Array(scales.buffer as ArrayBuffer, offset, target.length));
    if (this.#request.symmetric && offset + target.length === this.scaleBytes) this.#parameters = undefined;
  }

  readZeroPoints(offset: number, target: Uint8Array): void {
    const { zeroPoints } = this.#whole();
    const { rows, bits } = this.#request;
    const perRow = this.zeroBytes / rows;
    const [first, last] = [Math.floor(offset / perRow), Math.ceil((offset + target.length) / perRow)];
    const codes = zeroPoints.subarray(first * this.#blocks, last * this.#blocks);
    const packed = packCodes(codes, last - first, bits);
    target.set(packed.subarray(offset - first * perRow, offset - first * perRow + target.length));
    if (offset + target.length === this.zeroBytes) this.#parameters = undefined;
  }

  /** The parameters of all rows; the panels that nobody has read yet are made for them. */
  #whole(): Parameters {
    const { rows } = this.#request;
    for (let made = this.#parameters?.rows ?? 0; made < rows; made = this.#parameters!.rows) {
      this.#make(Math.floor(made / this.#panelRows));
    }
    return this.#parameters!;
  }

  #make(panel: number): void {
    const first = panel * this.#panelRows;
    const known = this.#parameters !== undefined && this.#parameters.rows > first;
    if (tenant === this.#token && this.#panel === panel && known) return;
    const { rows, symmetric } = this.#request;
    const count = Math.min(this.#panelRows, rows - first);
    const [scalesAt, zerosAt] = this.#run(first, count);
    tenant = this.#token;
    this.#panel = panel;
    this.#parameters ??= {
      scales: new Float32Array(rows * this.#blocks),
      zeroPoints: new Uint8Array(symmetric ? 0 : rows * this.#blocks),
      rows: 0,
    };
    const { buffer } = load().memory;
    this.#parameters.scales.set(new Float32Array(buffer, scalesAt, count * this.#blocks), first * this.#blocks);
    if (!symmetric) {
      this.#parameters.zeroPoints.set(new Uint8Array(buffer, zerosAt, count * this.#blocks), first * this.#blocks);
    }
    if (this.#parameters.rows === first) this.#parameters.rows = first + count;
  }

  /** Makes a panel: codes from `scratchSize` on, behind them scales and zero points. Returns their addresses. */
  #run(first: number, count: number): [scales: number, zeroPoints: number] {
    const { weights, layout, rows, cols, blockSize, bits, symmetric, hqq } = this.#request;
    const kernels = load();
    // The kernel takes four rows at a time: what stands beside the last ones is computed and never read.
    const padded = Math.ceil(count / 4) * 4;
    const scalesAt = align(scratchSize + padded * this.#stride);
    const zerosAt = align(scalesAt + padded * this.#blocks * 4);
    const sourceAt = align(zerosAt + padded * this.#blocks);
    reserve(kernels.memory, sourceAt + padded * 4 * (layout === 'rows' ? cols : blockSize));
    const bytes = new Uint8Array(kernels.memory.buffer);
    const settings = [blockSize, bits, symmetric ? 1 : hqq ? 2 : 0] as const;
    if (layout === 'rows') {
      copyInto(weights, first * cols * 4, bytes.subarray(sourceAt, sourceAt + count * cols * 4));
      const results = [scratchSize, this.#stride, scalesAt, zerosAt, this.#blocks] as const;
      kernels.rows(sourceAt, padded, cols, ...settings, ...results, 0);
      return [scalesAt, zerosAt];
    }
    for (let block = 0; block < this.#blocks; block++) {
      const from = block * blockSize;
      const depth = Math.min(blockSize, cols - from);
      if (count === rows && padded === rows) {
        copyInto(weights, from * rows * 4, bytes.subarray(sourceAt, sourceAt + depth * rows * 4));
      } else {
        for (let k = 0; k < depth; k++) {
          const at = sourceAt + k * padded * 4;
          copyInto(weights, ((from + k) * rows + first) * 4, bytes.subarray(at, at + count * 4));
        }
      }
      const codesAt = scratchSize + (block * blockSize * bits) / 8;
      const results = [codesAt, this.#stride, scalesAt + block * 4, zerosAt + block, this.#blocks] as const;
      kernels.columns(sourceAt, padded, depth, ...settings, ...results, 0);
    }
    return [scalesAt, zerosAt];
  }
}

const align = (address: number): number => Math.ceil(address / 16) * 16;

function reserve(memory: Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageSize));
}
