/** The script of the page: search, and arrow keys in graph and matrix. The page says everything without it. @internal */
export const SCRIPT = `
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const search = document.getElementById('search');
  const count = document.getElementById('count');
  const said = document.getElementById('said');
  document.documentElement.classList.add('live');
  const filter = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const item of all('[data-find]')) {
      item.hidden = !words.every(word => item.textContent.toLowerCase().includes(word));
      shown += item.hidden || item.tagName !== 'ARTICLE' ? 0 : 1;
    }
    count.textContent = words.length > 0 ? shown + ' shown' : '';
  };
  search.addEventListener('input', filter);
  search.closest('label').hidden = false;

  const say = cell => { said.textContent = cell.dataset.say; };
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  for (const body of all('.matrix.live tbody')) {
    const rows = () => all('tr', body).filter(row => !row.hidden).map(row => all('td', row));
    const cells = all('td', body);
    cells.forEach((cell, index) => { cell.tabIndex = index === 0 ? 0 : -1; });
    body.addEventListener('focusin', ({ target }) => {
      cells.forEach(cell => { cell.tabIndex = cell === target ? 0 : -1; });
      say(target);
    });
    body.addEventListener('pointerover', ({ target }) => { const cell = target.closest('td'); if (cell) say(cell); });
    body.addEventListener('keydown', event => {
      const grid = rows();
      const row = grid.findIndex(each => each.includes(event.target));
      const by = step[event.key];
      const column = row < 0 ? -1 : grid[row].indexOf(event.target);
      const to = event.key === 'Home' ? grid[row] && grid[row][0] : event.key === 'End' ? grid[row] && grid[row][grid[row].length - 1]
        : by && grid[row + by[0]] && grid[row + by[0]][column + by[1]];
      if (to) { event.preventDefault(); to.focus(); }
    });
  }
  for (const graph of all('svg')) {
    graph.addEventListener('keydown', event => {
      const by = step[event.key];
      const nodes = all('a', graph);
      const here = nodes.find(node => node === event.target);
      if (!by || !here) return;
      const at = node => { const { x, y } = node.getBoundingClientRect(); return [y, x]; };
      const [top, left] = at(here);
      const ahead = nodes.filter(node => { const [y, x] = at(node); return by[1] ? (x - left) * by[1] > 1 : Math.abs(x - left) < 2 && (y - top) * by[0] > 1; });
      const far = node => { const [y, x] = at(node); return Math.abs(y - top) + 4 * Math.abs(x - left) * Math.abs(by[1]); };
      const to = ahead.sort((a, b) => far(a) - far(b))[0];
      if (to) { event.preventDefault(); to.focus(); to.scrollIntoView({ block: 'nearest', inline: 'nearest' }); }
    });
  }
  document.addEventListener('keydown', event => {
    if (event.key === '/' && event.target !== search) { event.preventDefault(); search.focus(); }
    if (event.key === 'Escape' && event.target === search) { search.value = ''; filter(); search.blur(); }
  });
  let opened = [];
  addEventListener('beforeprint', () => { opened = all('details:not([open])'); opened.forEach(each => { each.open = true; }); });
  addEventListener('afterprint', () => opened.forEach(each => { each.open = false; }));
})();
`;
