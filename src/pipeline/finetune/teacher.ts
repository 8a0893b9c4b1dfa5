/** The float model that fine-tuning distils from: another file, which must match, or the model's own float weights. */
import { type Session, openSession } from '../../backends/session.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import { modelFromFile } from '../../graph/from-proto.ts';
import type { Model } from '../../graph/model.ts';
import { openPorts } from '../../intrinsic/widen/ports.ts';
import { widen } from '../../intrinsic/widen/widen.ts';
import { loadModel } from '../../onnx/model-file.ts';
import { withoutFakeQuants } from '../../qat/fake-quant.ts';

type Feeds = Parameters<Session['run']>[0];

/**
 * @param path undefined: the model itself, without its fake quantizers
 * @param wanted shapes of the model's outputs for these feeds, by name
 * @throws QAT_TEACHER when its inputs or outputs are not those of the model
 */
export async function teacherOf(
  path: string | undefined,
  model: Model,
  feeds: Feeds,
  wanted: ReadonlyMap<string, readonly number[]>,
): Promise<Model> {
  if (path === undefined) return withoutFakeQuants(model);
  const teacher = openTeacher(path);
  await checkTeacher(path, teacher, feeds, wanted);
  return teacher;
}

/** Of one run; by name. */
export async function outputShapes(model: Model, feeds: Feeds): Promise<Map<string, readonly number[]>> {
  const settings = { simulate: true, level: 'basic', onFallback: () => undefined } as const;
  const session = await openSession(model, settings, 'the fake-quantized model');
  try {
    const results = await session.run(feeds);
    return new Map(Object.entries(results).map(([name, { dims }]) => [name, dims]));
  } finally {
    await session.dispose();
  }
}

function openTeacher(path: string): Model {
  const file = loadModel(path);
  const model = modelFromFile(file);
  widen(model);
  openPorts(model);
  return model;
}

async function checkTeacher(
  path: string,
  teacher: Model,
  feeds: Feeds,
  wanted: ReadonlyMap<string, readonly number[]>,
): Promise<void> {
  const missing = teacher.feeds.map(({ name }) => name).find((name) => !(name in feeds));
  if (missing !== undefined) throw finetuneErrors.teacherInput(path, missing, Object.keys(feeds));
  const found = await outputShapes(teacher, feeds);
  for (const [name, dims] of wanted) {
    const own = found.get(name);
    if (!own) throw finetuneErrors.teacherOutput(path, name, [...found.keys()]);
    if (own.join() !== dims.join()) throw finetuneErrors.teacherShape(path, name, own, dims);
  }
}
