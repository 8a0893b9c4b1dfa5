/** The strip at the top: verdict, cost, gates, what most likely went wrong and what to try. */
import type { Report } from '../../../compare/report.ts';
import { inUnit } from '../../format.ts';
import { because, gateWords, latencyWords, likelyCause, modelNames, sizeWords } from '../../words.ts';
import { el, name, tableOf, type Child, type Markup } from '../markup.ts';

const marks = { ok: '✓ ok', FAIL: '✗ FAIL', warn: '! warn', off: '– off' } as const;

/** Not a section of the list: it has the page's heading. */
export function verdictStrip(report: Report): Markup {
  const [float, quant] = modelNames(report);
  const latency = latencyWords(report, '→');
  return el(
    'header',
    { class: report.verdict },
    el('p', { class: 'badge' }, report.verdict.toUpperCase()),
    el('h1', {}, name(float), ' → ', name(quant)),
    el('p', { class: 'because' }, because(report)),
    el(
      'ul',
      { class: 'chips' },
      el('li', {}, el('b', {}, 'size '), sizeWords(report, '→')),
      latency !== undefined && el('li', {}, el('b', {}, 'latency '), latency),
      el('li', {}, el('b', {}, 'runs '), `${report.placement.int8} nodes in int8, ${report.placement.float} in float`),
    ),
    cause(report),
    gates(report),
    warnings(report),
    baseline(report),
  );
}

function gates({ gates }: Report): Child {
  if (gates.length === 0) return undefined;
  const rows = gates.map((row) => ({ ...gateWords(row), hint: row.hint }));
  return tableOf(
    rows,
    [
      { title: '', show: ({ status }) => el('span', { class: `g ${status}` }, marks[status]) },
      { title: 'gate', show: (row) => [name(row.name), row.hint !== undefined && el('small', {}, row.hint)] },
      { title: 'bound', show: ({ bound }) => bound, unbroken: true },
      { title: 'measured', show: ({ measured }) => measured, unbroken: true },
    ],
    { caption: 'Gates' },
  );
}

function cause(report: Report): Child {
  const found = likelyCause(report);
  if (!found) return undefined;
  const exclude = report.sensitivity?.exclude ?? [];
  return el(
    'div',
    { class: 'cause' },
    el('p', {}, el('b', {}, `Likely cause, ${found.cause}, at `, name(found.node), ': '), found.text),
    found.tryFlag !== undefined && el('p', {}, el('b', {}, 'Try: '), name(found.tryFlag)),
    exclude.length > 0 &&
      el(
        'p',
        {},
        el('b', {}, 'Or leave float: '),
        exclude.slice(0, 12).map((node) => [name(node), ' ']),
      ),
    (report.causes?.length ?? 0) > 1 &&
      el(
        'details',
        {},
        el('summary', {}, `${report.causes!.length - 1} more tensors are sick`),
        el(
          'ul',
          {},
          report.causes!.slice(1, 30).map(({ text }) => el('li', {}, text)),
        ),
      ),
  );
}

function warnings({ warnings }: Report): Child {
  return (
    warnings.length > 0 &&
    el(
      'ul',
      { class: 'warnings' },
      warnings.map(({ message }) => el('li', {}, message)),
    )
  );
}

function baseline({ baseline: found }: Report): Child {
  if (!found) return undefined;
  const moved = found.changes.filter((row) => row.now !== row.baseline);
  if (moved.length === 0) return el('p', {}, 'Nothing changed since the baseline ', name(found.path), '.');
  return tableOf(
    moved,
    [
      { title: 'metric', show: ({ metric }) => name(metric) },
      { title: 'baseline', show: (row) => inUnit(row.baseline, row.unit), value: (row) => row.baseline },
      { title: 'now', show: (row) => inUnit(row.now, row.unit), value: (row) => row.now },
      { title: '', show: (row) => (row.now > row.baseline === (row.better === 'higher') ? 'better' : 'worse') },
    ],
    { caption: `Since the baseline ${found.path}` },
  );
}
