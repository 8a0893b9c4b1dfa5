/** Where the figures come from: files and hashes, samples, versions, machine, the exact command. */
import type { ModelFile } from '../../../compare/report.ts';
import { bytes, plural } from '../../format.ts';
import { improvementWords } from '../../words.ts';
import { el, folded, name, tableOf, type Child } from '../markup.ts';
import type { Section } from '../section.ts';

export const provenance: Section = {
  id: 'provenance',
  title: 'Provenance',
  render(report) {
    const { environment: env, data, command, tool, created, recipe, improvements = [] } = report;
    const { evaluation, calibration } = data;
    const facts: [string, Child][] = [
      ['command', el('code', { class: 'command' }, command)],
      ['made by', `${tool.name} ${tool.version}${created === undefined ? '' : `, ${created}`}`],
      ['float model', model(report.models.float)],
      ['int8 model', model(report.models.quant)],
      [
        'evaluation',
        [
          `${plural(evaluation.n, 'sample')} of `,
          name(evaluation.source),
          ` (${evaluation.format}${evaluation.labelled ? ', labelled' : ''})`,
          hash(evaluation.idsHash),
        ],
      ],
      ['preprocessing', evaluation.preprocess === null ? 'none' : name(evaluation.preprocess)],
      [
        'calibration',
        calibration
          ? [`${plural(calibration.n, 'sample')} of `, name(calibration.source), hash(calibration.idsHash)]
          : 'not known',
      ],
      ...improvements.map((each): [string, Child] => ['correction', improvementWords(each)]),
      [
        'runtime',
        `onnxruntime ${env.ort}, Node.js ${env.node}, ${plural(env.threads, 'thread')}${env.exactInt8 ? ', exact int8 products' : ''}`,
      ],
      ['machine', `${env.cpu} (${env.arch}: ${env.features.join(' ')}), ${env.os}`],
    ];
    return [
      tableOf(
        facts,
        [
          { title: 'what', show: ([what]) => what },
          { title: 'which', show: ([, which]) => which },
        ],
        { caption: 'What was compared, where and how' },
      ),
      recipe !== undefined && folded('Recipe', el('pre', {}, JSON.stringify(recipe, undefined, 2))),
    ];
  },
};

function model({ path, sha256, bytes: size, opset, ir }: ModelFile): Child {
  return [name(path), ` ${bytes(size)}, opset ${opset}, IR ${ir}`, hash(sha256)];
}

function hash(sha256: string | null): Child {
  return sha256 !== null && [' ', el('code', { class: 'hash' }, `sha256 ${sha256}`)];
}
