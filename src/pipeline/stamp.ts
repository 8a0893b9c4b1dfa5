/**
 * What qdq writes into the metadata of an int8 model, for whoever opens it later: how it was made, and why nodes were left
 * float. No times and no paths: same input, same bytes.
 */
import type { Model } from '../graph/model.ts';
import { toFloatNode, type FloatNode, type Plan } from '../quantizable/plan.ts';
import { version } from '../process/version.ts';

export interface Stamp {
  readonly version: string;
  readonly target: string;
  readonly scheme: string;
  readonly calibration: string;
  readonly float: readonly FloatNode[];
}

const prefix = 'qdq.';

export function writeStamp(model: Model, plan: Plan, scheme: string, calibration: string): void {
  const set = (key: keyof Stamp, value: string): void => void model.metadata.set(`${prefix}${key}`, value);
  set('version', version);
  set('target', plan.target);
  set('scheme', scheme);
  set('calibration', calibration);
  set('float', JSON.stringify(plan.float.map(toFloatNode)));
}

/** Says that this version wrote the model last. What an earlier stage of qdq wrote stays true. */
export function restamp(model: Model): void {
  model.metadata.set(`${prefix}version`, version);
}

/** The stamp, or undefined for a model that qdq did not make. */
export function readStamp(model: Model): Stamp | undefined {
  const get = (key: keyof Stamp): string => model.metadata.get(`${prefix}${key}`) ?? '';
  if (get('version') === '') return undefined;
  let float: FloatNode[] = [];
  try {
    float = JSON.parse(get('float')) as FloatNode[];
  } catch {
    // Another tool has touched the metadata: the rest still stands.
  }
  return {
    version: get('version'),
    target: get('target'),
    scheme: get('scheme'),
    calibration: get('calibration'),
    float,
  };
}
