/** A worker of fine-tuning: an engine of its own, which takes parameters from shared memory and leaves gradients there. */
import { packed, unpacked } from '../../onnx/strings.ts';
import { answer } from '../../parallel/worker-pool.ts';
import { Engine } from '../../qat/engine.ts';
import type { EngineInit, EngineReply, EngineRequest } from './engines.ts';

await answer<EngineInit, EngineRequest, EngineReply>(async ({ spec, parameters, gradients }) => {
  const engine = new Engine(spec);
  // onnxruntime takes no shared memory: what goes in and comes out is copied, which costs next to nothing.
  const values = new Float32Array(parameters.length);
  const sums = new Float32Array(gradients.length);
  return async (request) => {
    if (request.kind === 'teach')
      return { outputs: packed(await engine.teach(unpacked(request.feeds), request.fetch)) };
    values.set(parameters);
    if (request.kind === 'forward')
      return { outputs: packed(await engine.forward(values, unpacked(request.feeds), request.fetch)) };
    const shards = request.shards.map((shard) => ({ ...shard, feeds: unpacked(shard.feeds) }));
    const result = await engine.step(values, shards, sums, request.phase);
    gradients.set(sums);
    return { result };
  };
});
