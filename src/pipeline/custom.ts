/** Models with operators of libraries that onnxruntime-node cannot register: what needs no run is written all the same. */
import { customNodes, type Model } from '../graph/model.ts';

/** The operators in words; undefined when there are none. */
export function customOperators(model: Model): string | undefined {
  const names = [...new Set(customNodes(model).map(({ domain, opType }) => `${domain}.${opType}`))].toSorted();
  if (names.length === 0) return undefined;
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more operators` : shown;
}

export function notRunFor(operators: string): string {
  return `NOT RUN: nothing here runs ${operators} (onnxruntime-node registers no libraries of custom operators); the model was written without being loaded, run or compared`;
}
