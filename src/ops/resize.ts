/** Resize and its ancestor. */
import type { Node } from '../graph/node.ts';
import { follow, type OpSpec } from './op.ts';

/** Nearest picks values and linear stays between them; cubic overshoots its input range. */
export const resize: OpSpec = {
  types: ['Resize', 'Upsample'],
  quantize(node: Node) {
    const mode = node.string('mode', 'nearest');
    return follow(mode === 'cubic' ? { kind: 'observe' } : { kind: 'share', input: 0 }, [0]);
  },
};
