import type { ModelTokenizer } from '../../index.ts';
import type { Example } from '../../learn/index.ts';

/** Tokens of a piece, and of all of them, at most: so that a step is a matter of seconds on a processor. */
const mostOfPiece = 96;
const mostOfAll = 12_000;

interface Pieces {
  pieces: Example[];
  /** Tokens that are learnt from, and those of the whole text. */
  tokens: number;
  all: number;
}

/** A text in pieces: its paragraphs, of which long ones are cut where the model has read enough. */
export async function piecesOf(
  { tokenizer, config }: { tokenizer: Pick<ModelTokenizer, 'encode'>; config: { nCtx: number } },
  text: string,
): Promise<Pieces> {
  const most = Math.min(mostOfPiece, config.nCtx - 1);
  const paragraphs = text
    .replace(/\r\n?/g, '\n')
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter(Boolean);
  const pieces: Example[] = [];
  let [tokens, all] = [0, 0];
  for (const paragraph of paragraphs) {
    const ids = await tokenizer.encode(paragraph);
    all += ids.length;
    if (tokens + ids.length > mostOfAll && tokens > 0) continue;
    const kept = ids.slice(0, mostOfAll);
    tokens += kept.length;
    // The end of a text is learnt where the text has one.
    if (kept.length <= most) pieces.push({ text: paragraph });
    else for (let at = 0; at < kept.length; at += most) pieces.push({ ids: kept.slice(at, at + most) });
  }
  return { pieces: pieces.filter((piece) => !('ids' in piece) || piece.ids.length > 1), tokens, all };
}
