/** A worker of fine-tuning: an engine of its own, which takes parameters from shared memory and leaves gradients there. */
import { answer } from '../parallel/worker.ts';
import { Engine } from '../qat/engine.ts';
import type { EngineInit, EngineReply, EngineRequest } from './finetune-workers.ts';

await answer<EngineInit, EngineRequest, EngineReply>(async ({ spec, parameters, gradients }) => {
  const engine = new Engine(spec);
  // onnxruntime takes no shared memory: what goes in and comes out is copied, which costs next to nothing.
  const values = new Float32Array(parameters.length);
  const sums = new Float32Array(gradients.length);
  return async (request) => {
    if (request.kind === 'teach') return { outputs: await engine.teach(request.feeds, request.fetch) };
    values.set(parameters);
    if (request.kind === 'forward') return { outputs: await engine.forward(values, request.feeds, request.fetch) };
    const result = await engine.step(values, request.shards, sums, request.phase);
    gradients.set(sums);
    return { result };
  };
});
