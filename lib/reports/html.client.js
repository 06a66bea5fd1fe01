// What the report can do besides being read: choose among the checks, copy a command, print all of it.
(() => {
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // --- choosing among the checks
  const tools = document.querySelector('.tools');
  const lines = [...document.querySelectorAll('.check')];
  const chosen = { status: 'all', text: '' };
  const count = make('output', { className: 'small' });

  const isShown = (line) =>
    (chosen.status === 'all' || line.dataset.status === chosen.status) && line.textContent.toLowerCase().includes(chosen.text);

  const show = () => {
    for (const line of lines) line.hidden = !isShown(line);
    for (const group of document.querySelectorAll('.group:has(.check)')) {
      const some = group.querySelectorAll('.check:not([hidden])').length;
      group.hidden = some === 0;
      if (some > 0 && (chosen.status !== 'all' || chosen.text !== '')) group.open = true;
    }
    count.textContent = `${lines.filter((line) => !line.hidden).length} shown`;
  };

  const words = { all: 'all', fail: 'failed', error: 'not known', warn: 'warned', skipped: 'left out', pass: 'passed' };
  const there = new Set(lines.map((line) => line.dataset.status));
  const buttons = Object.entries(words)
    .filter(([status]) => status === 'all' || there.has(status))
    .map(([status, text]) => {
      const button = make('button', { type: 'button', textContent: text, ariaPressed: String(status === 'all') });
      button.addEventListener('click', () => {
        chosen.status = status;
        for (const one of buttons) one.ariaPressed = String(one === button);
        show();
      });
      return button;
    });
  const search = make('input', { type: 'search', placeholder: 'id or words' });
  search.addEventListener('input', () => {
    chosen.text = search.value.toLowerCase();
    show();
  });
  tools.append(...buttons, make('label', {}, make('span', { textContent: 'Find ' }), search), count);
  tools.hidden = false;
  show();

  // --- copying a command
  if (navigator.clipboard !== undefined) {
    for (const command of document.querySelectorAll('.command')) {
      const button = make('button', { type: 'button', className: 'copy', textContent: 'copy', ariaLabel: `Copy: ${command.textContent}` });
      button.addEventListener('click', async () => {
        button.textContent = await navigator.clipboard.writeText(command.textContent).then(() => 'copied', () => 'select it instead');
        setTimeout(() => (button.textContent = 'copy'), 2000);
      });
      command.after(' ', button);
    }
  }

  // --- printing: what is folded is unfolded for it, but for the text of what the picture shows
  let folded = [];
  window.addEventListener('beforeprint', () => {
    folded = [...document.querySelectorAll('details:not([open], .as-text)')];
    for (const details of folded) details.open = true;
  });
  window.addEventListener('afterprint', () => {
    for (const details of folded) details.open = false;
  });
})();
