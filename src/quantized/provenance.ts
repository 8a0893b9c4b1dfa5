/**
 * Where the codes of a quantized model come from, kept in its metadata: the hash of the float file and, for each tensor of
 * codes, the tensor of the fused float graph that it stands for. Whoever compares the two models later pairs their tensors by
 * this record and need not guess from names, which emission and fusion change.
 */
import type { Model } from '../graph/model.ts';

/** Where a quantized model comes from. */
export interface Provenance {
  /** sha256 of the float model's file. */
  readonly source: string;
  /** Tensor of the fused float graph by name of the codes made of it. */
  readonly tensors: ReadonlyMap<string, string>;
}

const sourceKey = 'qdq.source';
const tensorsKey = 'qdq.tensors';

/** Writes the record into the model's metadata. */
export function writeProvenance(model: Model, { source, tensors }: Provenance): void {
  model.metadata.set(sourceKey, source);
  model.metadata.set(tensorsKey, JSON.stringify(Object.fromEntries(tensors)));
}

/** Reads the record; undefined for a model that carries none, or one that another tool has broken. */
export function readProvenance(model: Model): Provenance | undefined {
  const source = model.metadata.get(sourceKey);
  const text = model.metadata.get(tensorsKey);
  if (source === undefined || text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as unknown;
    if (typeof record !== 'object' || record === null) return undefined;
    const entries = Object.entries(record).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return { source, tensors: new Map(entries) };
  } catch {
    return undefined;
  }
}
