/**
 * Errors of reading and writing model files: not ONNX, damaged, tensors that contradict themselves, files that
 * refuse.
 */
import { dataError, usageError, type QdqError } from './qdq-error.ts';

const download = 'the copy is probably incomplete: download or export the model again';
const reexport = 'the model is not valid ONNX; export it again, or check it with the exporter that wrote it';
const together = 'keep the data file beside the model, under the name the model gives it';

/** What a failed system call said, without Node's own prefix. */
function reason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'operation not permitted',
    EROFS: 'the file system is read-only',
    EMFILE: 'too many open files',
    EIO: 'input/output error',
    EFBIG: 'the file system or a limit does not allow a file this large',
    ENAMETOOLONG: 'the name is too long',
  };
  return known[code ?? ''] ?? message;
}

export const onnxErrors = {
  notFound: (path: string, near: string | undefined): QdqError =>
    usageError(
      'ONNX_NOT_FOUND',
      `${path}: no such file`,
      near === undefined ? 'check the path; relative paths start at the current folder' : `did you mean '${near}'?`,
    ),

  notAFile: (path: string): QdqError =>
    usageError('ONNX_NOT_A_FILE', `${path}: a folder or device, not a file`, 'give the path of the .onnx file itself'),

  unreadable: (path: string, cause: unknown): QdqError =>
    dataError(
      'ONNX_UNREADABLE',
      `${path}: cannot be read: ${reason(cause)}`,
      'check the permissions and the disk',
      cause,
    ),

  changed: (path: string): QdqError =>
    dataError(
      'ONNX_FILE_CHANGED',
      `${path}: the file changed while it was in use`,
      'large tensors are read from it when needed: leave input files alone until qdq has finished, then run again',
    ),

  wrongFormat: (path: string, looksLike: string, hint: string): QdqError =>
    dataError('ONNX_WRONG_FORMAT', `${path}: not an ONNX model: ${looksLike}`, hint),

  truncated: (path: string, offset: number, missing: number): QdqError =>
    dataError(
      'ONNX_TRUNCATED',
      `${path}: ends ${missing} bytes too early, within the field at byte ${offset}`,
      download,
    ),

  malformed: (path: string, offset: number, cause: string): QdqError =>
    dataError('ONNX_MALFORMED', `${path}: damaged or not an ONNX model: ${cause}, at byte ${offset}`, download),

  noGraph: (path: string): QdqError =>
    dataError(
      'ONNX_NO_GRAPH',
      `${path}: has no graph`,
      'it may be another kind of protobuf file (a saved tensor, a TensorFlow model): give an ONNX model',
    ),

  tooLarge: (what: string, byteLength: number): QdqError =>
    dataError(
      'ONNX_TOO_LARGE',
      `${what}: ${byteLength} bytes do not fit in one file, protobuf readers stop at 2 GiB`,
      "save with external data (externalData 'auto' or 'always')",
    ),

  notOnnxProto: (): QdqError =>
    usageError(
      'ONNX_NOT_ONNX_PROTO',
      'fromOnnxProto needs a ModelProto instance of the onnx-proto package',
      'make it with onnx.ModelProto.decode, create or fromObject',
    ),

  dataType: (tensor: string, code: number): QdqError =>
    dataError(
      'ONNX_DATA_TYPE',
      `tensor '${tensor}' has data type ${code}, which ONNX IR 14 does not define`,
      code === 0 ? reexport : 'the model needs a newer qdq',
    ),

  dims: (tensor: string, dims: readonly (number | bigint)[]): QdqError =>
    dataError('ONNX_DIMS', `tensor '${tensor}' has impossible dimensions [${dims.join(', ')}]`, reexport),

  payloadSize: (tensor: string, type: string, dims: readonly number[], expected: number, found: number): QdqError =>
    dataError(
      'ONNX_TENSOR_SIZE',
      `tensor '${tensor}' (${type}[${dims.join(', ')}]) needs ${expected} bytes of data but has ${found}`,
      reexport,
    ),

  stringCount: (tensor: string, dims: readonly number[], expected: number, found: number): QdqError =>
    dataError(
      'ONNX_TENSOR_SIZE',
      `tensor '${tensor}' (string[${dims.join(', ')}]) needs ${expected} strings but has ${found}`,
      reexport,
    ),

  arrayType: (tensor: string, type: string, wanted: string, given: string): QdqError =>
    usageError('ONNX_ARRAY_TYPE', `tensor '${tensor}' of type ${type} is held in a ${wanted}, not in a ${given}`),

  reshape: (tensor: string, from: readonly number[], to: readonly number[]): QdqError =>
    usageError('ONNX_RESHAPE', `tensor '${tensor}' of shape [${from.join(', ')}] cannot take shape [${to.join(', ')}]`),

  mixedElements: (tensor: string, field: string): QdqError =>
    dataError(
      'ONNX_MIXED_ELEMENTS',
      `tensor '${tensor}' stores ${field} partly packed and partly unpacked; their order is not known`,
      reexport,
    ),

  notConvertible: (tensor: string, type: string, wanted: string): QdqError =>
    dataError('ONNX_TENSOR_TYPE', `tensor '${tensor}' of type ${type} cannot be read as ${wanted}`),

  unsafeInteger: (tensor: string, value: bigint): QdqError =>
    dataError(
      'ONNX_UNSAFE_INTEGER',
      `tensor '${tensor}' holds ${value}, beyond the exact integers of a JavaScript number`,
    ),

  tensorTooLarge: (tensor: string, byteLength: number): QdqError =>
    dataError(
      'ONNX_TENSOR_TOO_LARGE',
      `tensor '${tensor}' of ${byteLength} bytes does not fit in one array of this Node.js`,
      'read its payload in chunks',
    ),

  sparse: (tensor: string, why: string): QdqError =>
    dataError('ONNX_SPARSE', `sparse constant '${tensor}': ${why}`, reexport),

  externalEntry: (tensor: string, key: string, value: string | undefined): QdqError =>
    dataError(
      'ONNX_EXTERNAL_ENTRY',
      `tensor '${tensor}' is stored externally, but its '${key}' is ${value === undefined ? 'missing' : `'${value}'`}`,
      reexport,
    ),

  externalNoFolder: (tensor: string): QdqError =>
    usageError(
      'ONNX_EXTERNAL_NO_FOLDER',
      `tensor '${tensor}' is stored in another file, and the model's folder is not known`,
      'load the model from its file, or give the folder (dir, sourceDir)',
    ),

  externalTwice: (tensor: string, key: string): QdqError =>
    dataError(
      'ONNX_EXTERNAL_ENTRY',
      `tensor '${tensor}' says twice, and not the same, '${key}' of its external data`,
      reexport,
    ),

  externalEscapes: (tensor: string, location: string): QdqError =>
    dataError(
      'ONNX_EXTERNAL_ESCAPES',
      `tensor '${tensor}' is stored in '${location}', which is outside the model's folder`,
      'move the data file into the folder of the model and name it by a relative path',
    ),

  externalSymlink: (tensor: string, path: string): QdqError =>
    dataError(
      'ONNX_EXTERNAL_SYMLINK',
      `tensor '${tensor}' is stored in ${path}, a symbolic link, which onnxruntime refuses`,
      'put the real file (or a hard link) beside the model; a download cache can be copied with cp -L',
    ),

  externalMissing: (tensor: string, path: string): QdqError =>
    dataError('ONNX_EXTERNAL_MISSING', `tensor '${tensor}' is stored in ${path}: no such file`, together),

  externalBeyond: (tensor: string, path: string, end: number, byteLength: number): QdqError =>
    dataError(
      'ONNX_EXTERNAL_BEYOND',
      `tensor '${tensor}' ends at byte ${end} of ${path}, which has ${byteLength} bytes`,
      download,
    ),

  externalLeftBehind: (tensor: string, outDir: string): QdqError =>
    usageError(
      'ONNX_EXTERNAL_LEFT_BEHIND',
      `tensor '${tensor}' is stored in another file, which would be left behind when saving to ${outDir}`,
      "save into the folder of the model, or with externalData 'auto'",
    ),

  outputIsInput: (path: string): QdqError =>
    usageError(
      'ONNX_OUTPUT_IS_INPUT',
      `${path}: is an input of this run and is never overwritten`,
      'choose another output name',
    ),

  outputFolder: (folder: string): QdqError =>
    usageError('ONNX_OUTPUT_FOLDER', `${folder}: no such folder to write into`, 'create it first (mkdir -p)'),

  outputNotAFile: (path: string): QdqError =>
    usageError('ONNX_OUTPUT_NOT_A_FILE', `${path}: a folder or device, not a file to write`, 'give a file name'),

  diskFull: (path: string, byteLength: number, cause: unknown): QdqError =>
    dataError(
      'ONNX_DISK_FULL',
      `${path}: the disk is full; nothing was written`,
      `${byteLength} bytes are needed: free some space or choose another disk`,
      cause,
    ),

  unwritable: (path: string, cause: unknown): QdqError =>
    dataError(
      'ONNX_UNWRITABLE',
      `${path}: cannot be written: ${reason(cause)}`,
      'check the permissions and the disk',
      cause,
    ),
};
