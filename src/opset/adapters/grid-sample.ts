/** GridSample: the modes were renamed when it learned other ranks. */
import type { Adapter } from '../adapter.ts';

const renamed: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

export const gridSample20: Adapter = {
  ops: ['GridSample'],
  version: 20,
  adapt(node) {
    const mode = node.string('mode', 'bilinear');
    node.setString('mode', renamed[mode] ?? mode);
    return true;
  },
};
