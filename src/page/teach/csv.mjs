/** CSV as RFC 4180 has it. JavaScript, so that scripts/train.mjs reads it as the page does. */

/** What a first line calls the columns of texts and of classes. */
export const texts = /^(text|sentence|message|content|example|input|body|title|review)s?$/i;
export const labels = /^(label|class|category|kind|target|topic|tag|type|intent|sentiment)(es|s)?$/i;

/** Of two columns the one with fewer different values names classes; the second where they have as many. */
export function labelColumn(records) {
  const [first, second] = [0, 1].map((i) => new Set(records.map(({ cells }) => cells[i]?.trim())).size);
  return first < second ? 0 : 1;
}

export function recordsOf(given, separator) {
  const source = given.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const records = [];
  let line = 1;
  // `space`: what stands behind a closed quote so far.
  let [cells, cell, begins, space] = [[], '', 1, ''];
  let quoted = 'no';
  const end = () => {
    if (cells.length > 0 || cell.trim() || quoted !== 'no') records.push({ cells: [...cells, cell], line: begins });
    [cells, cell, begins, quoted] = [[], '', line + 1, 'no'];
  };
  for (let i = 0; i < source.length; i++) {
    const character = source[i];
    if (quoted === 'open') {
      if (character === '"' && source[i + 1] === '"') cell += source[++i];
      else if (character === '"') quoted = 'closed';
      else cell += character;
    } else if (character === '"' && cell.trim() === '' && quoted === 'no') [cell, space, quoted] = ['', '', 'open'];
    else if (character === separator) [cells, cell, quoted] = [[...cells, cell], '', 'no'];
    else if (character === '\n') end();
    else if (quoted === 'no') cell += character;
    else if (!character.trim()) space += character;
    // Something stands behind a quote that was closed: the quotes are a part of the text, as people write them.
    else [cell, quoted] = [`"${cell}"${space}${character}`, 'no'];
    if (character === '\n') line++;
  }
  if (quoted === 'open') return { records, open: begins };
  end();
  return { records };
}
