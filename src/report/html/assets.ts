/** The style sheet and the script of the page; nothing is fetched, and the page reads without either. */

export const style = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1c222b;--dim:#5a6472;--line:#d9dde3;--card:#f5f7f9;--blue:#1f6fb2;--red:#cf4a1c;--text:#333b47;--grid:#c9ced6;--ok:#1d6b3a;--hot:#fff3c4;--shade:#1c222b33}
@media(prefers-color-scheme:dark){:root{--bg:#14181e;--fg:#e6e9ee;--dim:#a0a9b6;--line:#343b46;--card:#1c222b;--blue:#6cb4f2;--red:#ff8d63;--text:#ccd3dd;--grid:#3d4653;--ok:#6fd195;--hot:#4a4218;--shade:#000a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1100px;padding:16px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.35rem;margin:.2em 0}h2{font-size:1.15rem;margin:2em 0 .3em;border-top:1px solid var(--line);padding-top:1em}h3{font-size:1rem;margin:1.4em 0 .2em}
p{margin:.4em 0}code,pre{font-family:ui-monospace,monospace;font-size:.86em;overflow-wrap:anywhere;unicode-bidi:isolate}pre{overflow:auto;background:var(--card);padding:10px}
.hash{color:var(--dim);display:block}.lead,.legend,.told{color:var(--dim);font-size:.88rem}.legend svg{vertical-align:-2px}.legend span{display:inline-block;margin-right:14px}
header{border-left:6px solid var(--line);padding-left:14px}header.pass{border-color:var(--ok)}header.warn{border-color:#c98a00}header.fail{border-color:var(--red)}
.badge{font-weight:700;letter-spacing:.06em;margin:0}.pass .badge{color:var(--ok)}.fail .badge{color:var(--red)}
.because{font-size:1.05rem}.chips{display:flex;flex-wrap:wrap;gap:8px;list-style:none;padding:0;margin:.6em 0}.chips li{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:3px 10px}
.cause{background:var(--card);border-left:4px solid var(--red);padding:6px 12px;margin:10px 0}.warnings{padding-left:1.2em}
.g{white-space:nowrap;font-weight:600}.g.ok{color:var(--ok)}.g.FAIL{color:var(--red)}
nav ul{display:flex;flex-wrap:wrap;gap:4px 14px;list-style:none;padding:0;margin:14px 0 0}a{color:var(--blue)}
.scroll{overflow:auto;margin:.6em 0}.tall{max-height:560px}table{border-collapse:collapse;font-size:.88rem;min-width:100%}caption{text-align:left;font-weight:600;padding:4px 0}
th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--dim);font-weight:600;position:sticky;top:0;background:var(--bg)}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}td:has(code){min-width:8.5em}.halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px}td small{display:block;color:var(--dim);min-width:14em}
th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--blue)}input{font:inherit;width:100%;max-width:26em;padding:4px 8px;margin:6px 0;background:var(--bg);color:var(--fg);border:1px solid var(--line);border-radius:4px}
details{margin:.8em 0}summary{cursor:pointer;color:var(--blue)}
figure{margin:.4em 0;min-width:0}figcaption{font-size:.88rem;overflow-wrap:anywhere}
.plot{overflow-x:auto;margin:.3em 0}.plot svg{display:block;width:100%;height:auto}.wide svg{min-width:900px}.wide.small svg{min-width:520px}.wide.narrow svg{min-width:0}.small svg{max-width:760px}.narrow svg{max-width:520px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:8px 28px;align-items:start}.two>*{min-width:0}
.many{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:18px 22px}
.f-blue{fill:var(--blue)}.f-red{fill:var(--red)}.f-line{fill:var(--grid)}.f-text{fill:var(--text)}.s-blue{stroke:var(--blue)}.s-red{stroke:var(--red)}.s-line{stroke:var(--grid)}.s-text{stroke:var(--text)}
.hot{background:var(--hot)}svg .hot{stroke:var(--fg);stroke-width:2}
#tip{position:fixed;z-index:9;max-width:min(420px,90vw);padding:5px 9px;background:var(--fg);color:var(--bg);border-radius:4px;font-size:.85rem;pointer-events:none;overflow-wrap:anywhere}
footer{color:var(--dim);font-size:.85rem;margin-top:2em}
.scroll,.wide{background:linear-gradient(90deg,var(--bg) 30%,transparent) 0/28px 100% local,linear-gradient(-90deg,var(--bg) 30%,transparent) 100%/28px 100% local,linear-gradient(90deg,var(--shade),transparent) 0/10px 100%,linear-gradient(-90deg,var(--shade),transparent) 100%/10px 100%;background-repeat:no-repeat}
@media(min-width:641px){.k{white-space:nowrap}}
@media(max-width:640px){body{padding:12px}header{padding-left:10px}.tall{max-height:none}th,td{padding-right:8px}td small{min-width:0}td:has(code){min-width:6.5em}.roomy{display:none}.compact[hidden]{display:block}}
@media print{.scroll{max-height:none;overflow:visible}}
`;

/**
 * What the page can do beyond being read: tables sort and filter, and the same tensor lights up in every plot and row. Written for
 * browsers as they are, in plain JavaScript; texts are only ever set as text.
 */
export const script = `
(function () {
  'use strict';
  function sort(table, column, button) {
    var body = table.tBodies[0];
    var down = button.getAttribute('data-down') !== '1';
    table.querySelectorAll('th').forEach(function (th) {
      th.removeAttribute('aria-sort');
      th.firstChild.removeAttribute && th.firstChild.removeAttribute('data-down');
    });
    button.setAttribute('data-down', down ? '1' : '0');
    button.parentNode.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    function key(row) {
      var cell = row.cells[column];
      var value = cell.getAttribute('data-v');
      if (cell.className !== 'n') return cell.textContent;
      return value === null ? null : value === 'NaN' ? -Infinity : Number(value);
    }
    Array.from(body.rows)
      .map(function (row) { return [key(row), row]; })
      .sort(function (a, b) {
        if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null);
        var order = typeof a[0] === 'string' ? a[0].localeCompare(b[0]) : a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
        return down ? -order : order;
      })
      .forEach(function (pair) { body.appendChild(pair[1]); });
  }
  document.querySelectorAll('table.sortable').forEach(function (table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (th, column) {
      var button = document.createElement('button');
      button.type = 'button';
      button.textContent = th.textContent;
      button.title = 'sort';
      th.textContent = '';
      th.appendChild(button);
      button.addEventListener('click', function () { sort(table, column, button); });
    });
    if (table.tBodies[0].rows.length < 8) return;
    var input = document.createElement('input');
    input.type = 'search';
    input.placeholder = 'filter rows';
    input.setAttribute('aria-label', 'filter rows of ' + table.caption.textContent);
    table.parentNode.parentNode.insertBefore(input, table.parentNode);
    input.addEventListener('input', function () {
      var wanted = input.value.toLowerCase();
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
      });
    });
  });
  var tip = document.createElement('div');
  tip.id = 'tip';
  tip.hidden = true;
  document.body.appendChild(tip);
  var lit = [];
  function dim() {
    lit.forEach(function (each) { each.classList.remove('hot'); });
    lit = [];
    tip.hidden = true;
  }
  document.addEventListener('mouseover', function (event) {
    var from = event.target.closest ? event.target.closest('[data-t],svg g') : null;
    dim();
    if (!from) return;
    var key = from.getAttribute('data-t');
    if (key !== null) {
      lit = Array.from(document.querySelectorAll('[data-t="' + Number(key) + '"]'));
      lit.forEach(function (each) { each.classList.add('hot'); });
    }
    var title = from.querySelector('title');
    if (!title || !from.closest('svg')) return;
    tip.textContent = title.textContent;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 4)) + 'px';
    tip.style.top = Math.max(4, event.clientY - tip.offsetHeight - 12) + 'px';
  });
})();
`;
