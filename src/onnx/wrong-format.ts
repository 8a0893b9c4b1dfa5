/**
 * Names what a file is when it is not an ONNX model. Asked only after decoding has failed: signatures can be
 * accidental.
 */
import type { QdqError } from '../errors/qdq-error.ts';
import { onnxErrors } from '../errors/onnx.ts';
import type { ByteSource } from './messages.ts';
import { decodeUtf8, hasEscapes } from './strings.ts';

interface Format {
  readonly name: string;
  readonly hint: string;
  /** `text` is `head` as Latin-1. */
  matches(text: string, head: Uint8Array, byteLength: number): boolean;
}

const convert = 'export the model to ONNX first';
const torchExport = 'export it with torch.onnx.export';

const formats: readonly Format[] = [
  {
    name: 'the file is empty',
    hint: 'export or download the model again',
    matches: (_text, _head, byteLength) => byteLength === 0,
  },
  {
    name: 'it is a git-lfs pointer, not the file itself',
    hint: 'fetch the file with: git lfs pull',
    matches: (text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    name: 'it is an onnxruntime .ort file',
    hint: 'give the ONNX model it was made from; .ort files cannot be turned back',
    matches: (text) => text.slice(4, 8) === 'ORTM',
  },
  {
    name: 'it is a TensorFlow Lite model',
    hint: 'convert it with tf2onnx --tflite',
    matches: (text) => text.slice(4, 8) === 'TFL3',
  },
  {
    name: 'it is a ZIP archive: a PyTorch checkpoint, an .npz file or a zipped model',
    hint: `unzip it if the model is inside; if it is a PyTorch checkpoint, ${torchExport}`,
    matches: (text) => text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06'),
  },
  {
    name: 'it is a Python pickle, perhaps an old PyTorch checkpoint',
    hint: torchExport,
    matches: (text, head) =>
      head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5 && '}]\x95\x8a(c'.includes(text[2] ?? '?'),
  },
  { name: 'it is a safetensors file: weights without a graph', hint: convert, matches: isSafetensors },
  { name: 'it is a GGUF file', hint: convert, matches: (text) => text.startsWith('GGUF') },
  {
    name: 'it is an HDF5 file, perhaps a Keras model',
    hint: 'convert it with tf2onnx',
    matches: (text) => text.startsWith('\x89HDF'),
  },
  {
    name: 'it is a NumPy array',
    hint: 'give the model here, data with --data',
    matches: (text) => text.startsWith('\x93NUMPY'),
  },
  {
    name: 'it is compressed with gzip',
    hint: 'decompress it with gunzip',
    matches: (text) => text.startsWith('\x1f\x8b'),
  },
  {
    name: 'it is a web page (HTML)',
    hint: 'the download gave a page instead of the file: use the direct link',
    matches: (text) => /^\s*<(!doctype html|html|head|body)/i.test(text.replace('\xef\xbb\xbf', '')),
  },
  {
    name: 'it is XML, perhaps an OpenVINO model',
    hint: convert,
    matches: (text) => /^\s*<\?xml/.test(text.replace('\xef\xbb\xbf', '')),
  },
  { name: 'it is JSON', hint: 'give the .onnx file', matches: (text, head) => /^\s*[[{]/.test(text) && isText(head) },
  { name: 'it is a text file', hint: 'give the .onnx file', matches: (_text, head) => isText(head) },
];

/** The error that names the true format of these bytes, or undefined when they look like none of the known ones. */
export function wrongFormat(source: ByteSource, path: string): QdqError | undefined {
  const head = source.read(0, Math.min(512, source.byteLength));
  const text = String.fromCharCode(...head);
  const format = formats.find(({ matches }) => matches(text, head, source.byteLength));
  return format && onnxErrors.wrongFormat(path, format.name, format.hint);
}

/** A 64-bit header length, then a JSON object that begins with a quote or is padded. */
function isSafetensors(text: string, head: Uint8Array, byteLength: number): boolean {
  if (head.length < 10 || !/^\{\s*["}]/.test(text.slice(8))) return false;
  const headerLength = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  return headerLength + 8n <= BigInt(byteLength);
}

/** UTF-8 without control characters; the last character of the head may be cut. */
function isText(head: Uint8Array): boolean {
  const printable = head.every((byte) => (byte >= 32 ? byte !== 127 : byte === 9 || byte === 10 || byte === 13));
  return head.length > 0 && printable && !hasEscapes(decodeUtf8(head).slice(0, -3));
}
