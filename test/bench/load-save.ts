/** Child process of the codec benchmark: reads one model and writes it again. */
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { loadModel, saveModel } from '../../src/onnx/model-file.ts';

const [input, output] = process.argv.slice(2) as [string, string];
const file = loadModel(input);
saveModel(modelToProto(modelFromProto(file.proto, file.dir)), output, { sourceDir: file.dir, inputs: [input] });
