/** Errors of the runtime (it is missing, refuses the model, or fails while running) and of the worker threads that it runs in. */
import { dataError, QdqError, usageError } from './qdq-error.ts';

/** onnxruntime's messages carry source paths and stack lines; the first sentence tells the cause. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.split('\n').find((l) => l.trim() !== '') ?? text;
  const cleaned = line.replace(/^.*?(?:Status Message|Error code\s*-\s*\d+\s*-\s*message):\s*/i, '').trim();
  return cleaned.length > 400 ? `${cleaned.slice(0, 397)}...` : cleaned;
}

/** Errors of onnxruntime. */
export const backendErrors = {
  runtimeMissing: (platform: string, cause: unknown): QdqError =>
    new QdqError(
      'data',
      'BACKEND_MISSING',
      `onnxruntime-node cannot be loaded on ${platform}: ${firstLine(cause)}`,
      "reinstall with 'npm install onnxruntime-node --onnxruntime-node-install=skip', then run 'qdq doctor'",
      cause,
    ),

  tooOld: (found: string, oldest: string, best: string): QdqError =>
    dataError(
      'BACKEND_TOO_OLD',
      `onnxruntime-node ${found} is too old: qdq needs ${oldest} or later`,
      `'npm install onnxruntime-node@${best}' installs the release that qdq is tested with`,
    ),

  noTemporary: (folder: string, cause: unknown): QdqError =>
    usageError(
      'TEMPORARY_FOLDER',
      `the folder for temporary files, '${folder}', cannot be written into: ${firstLine(cause)}`,
      'set TMPDIR (on Windows TEMP) to a folder that can',
      cause,
    ),

  temporaryFull: (folder: string, needed: number, cause: unknown): QdqError =>
    dataError(
      'TEMPORARY_FULL',
      `the folder for temporary files, '${folder}', has no room for some ${Math.ceil(needed / 1e6)} MB, in which onnxruntime tells how it runs the model`,
      'free some space, or set TMPDIR (on Windows TEMP) to a folder that has it',
      cause,
    ),

  load: (model: string, cause: unknown): QdqError =>
    dataError(
      'BACKEND_LOAD',
      `onnxruntime cannot load ${model}: ${firstLine(cause)}`,
      /not a registered function\/op/.test(firstLine(cause))
        ? "onnxruntime-node registers no libraries of custom operators, so that nothing here runs them: 'qdq quantize --format dynamic|weight-only|fp16|bf16' and 'qdq fuse' write such a model without a run"
        : "'qdq inspect' shows its operators and opset; an operator without a CPU kernel cannot be quantized or compared here",
      cause,
    ),

  run: (model: string, cause: unknown): QdqError =>
    dataError(
      'BACKEND_RUN',
      `onnxruntime failed while running ${model}: ${firstLine(cause)}`,
      'check the input shapes and the preprocessing against the model (qdq inspect lists its inputs)',
      cause,
    ),

  /** A form that qdq made of a model which runs as it is: nobody's fault but its own. */
  ownForm: (model: string, { message, cause }: QdqError): QdqError =>
    new QdqError(
      'internal',
      'BACKEND_OWN_FORM',
      `${message}, although '${model}' itself runs`,
      'another --format or --exclude of the node may do meanwhile; please report it: what qdq makes must run',
      cause,
    ),

  tooLarge: (model: string, bytes: number): QdqError =>
    dataError(
      'BACKEND_TOO_LARGE',
      `${model} holds ${bytes} bytes of changed constants in memory, more than onnxruntime takes at once (2 GiB)`,
      'save it with --external-data and run the saved file',
    ),

  constantTooLarge: (model: string, constant: string, bytes: number): QdqError =>
    dataError(
      'BACKEND_CONSTANT_TOO_LARGE',
      `${model} holds constant '${constant}' of ${bytes} bytes in memory; onnxruntime takes at most 2 GiB in one`,
      'save it with --external-data and run the saved file',
    ),
};

/** Errors of worker threads as such; what fails in their work comes through as it was. */
export const parallelErrors = {
  worker: (how: string, cause?: unknown): QdqError =>
    dataError(
      'PARALLEL_WORKER',
      `a worker thread ended before its work was done: ${how}`,
      'fewer --workers need less memory; with --workers 1 no worker is used',
      cause,
    ),
};
