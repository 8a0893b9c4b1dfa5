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
