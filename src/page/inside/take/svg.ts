import { cellPaths } from './cells.ts';

/**
 * A part of the page as SVG, as it is laid out now: boxes, letters, lines, and of a matrix a path for each colour. What only answers the
 * pointer is left out.
 */
export function svgOf(root: Element, title: string): string {
  const { left, top, width, height } = root.getBoundingClientRect();
  const paper = colourOf(getComputedStyle(document.documentElement).backgroundColor) ?? '#fff';
  const all = drawn(root, { left, top, clip: root.getBoundingClientRect() });
  const size = `width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><title>${escaped(title)}</title><rect width="100%" height="100%" fill="${paper}"/>${all}</svg>\n`;
}

/** Where the picture begins on the page, and what of it is seen. */
interface Frame {
  left: number;
  top: number;
  clip: Pick<DOMRect, 'left' | 'top' | 'right' | 'bottom'>;
}

const leftOut = '.unseen, .readout, .loupe, .pointed, .former, .take-picture, script, style';

const round = (value: number) => Math.round(value * 100) / 100;
/** XML has no way to write control characters and lone surrogates. */
const unwritable = /(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu;
const escaped = (text: string) =>
  text.replace(/[<>&"]/g, (one) => `&#${one.charCodeAt(0)};`).replace(unwritable, '\ufffd');

function drawn(element: Element, frame: Frame): string {
  const style = getComputedStyle(element);
  const rect = element.getBoundingClientRect();
  if (style.display === 'none' || style.visibility !== 'visible' || element.matches(leftOut)) return '';
  const clip = style.overflowX === 'visible' ? frame.clip : within(frame.clip, rect);
  const inner = { ...frame, clip };
  const parts = [boxOf(rect, style, frame)];
  if (element instanceof HTMLCanvasElement) parts.push(cellsOf(element, rect, frame));
  else if (element instanceof SVGSVGElement) parts.push(vectorsOf(element, rect, frame));
  else {
    for (const child of element.childNodes) {
      if (child instanceof Text) parts.push(lettersOf(child, style, inner));
      else if (child instanceof Element) parts.push(drawn(child, inner));
    }
  }
  const all = parts.join('');
  return all && style.opacity !== '1' ? `<g opacity="${style.opacity}">${all}</g>` : all;
}

function within(a: Frame['clip'], b: DOMRect): Frame['clip'] {
  return {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  };
}

/** A box's ground, its borders and its outline. */
function boxOf(rect: DOMRect, style: CSSStyleDeclaration, { left, top, clip }: Frame): string {
  const [x, y, width, height] = [rect.left - left, rect.top - top, rect.width, rect.height].map(round) as number[];
  if (!width || !height || rect.left >= clip.right || rect.top >= clip.bottom) return '';
  const at = `x="${x}" y="${y}" width="${width}" height="${height}"`;
  const corner = Number.parseFloat(style.borderTopLeftRadius) || 0;
  const radius = corner > 0 ? ` rx="${round(Math.min(corner, width! / 2, height! / 2))}"` : '';
  const ground = colourOf(style.backgroundColor);
  const parts = ground ? [`<rect ${at}${radius} fill="${ground}"/>`] : [];
  if (style.backgroundImage.includes('gradient')) parts.push(gradientOf(style.backgroundImage, at));
  const sides = (['Top', 'Right', 'Bottom', 'Left'] as const).map((side) => {
    const thick = style[`border${side}Style`] === 'none' ? 0 : Number.parseFloat(style[`border${side}Width`]);
    return { thick, colour: colourOf(style[`border${side}Color`]) };
  });
  const [first] = sides;
  if (sides.every(({ thick, colour }) => thick > 0 && thick === first!.thick && colour && colour === first!.colour))
    parts.push(`<rect ${at}${radius} fill="none" stroke="${first!.colour}" stroke-width="${first!.thick}"/>`);
  else {
    const lines = [`h${width}`, `m${width} 0v${height}`, `m0 ${height}h${width}`, `v${height}`];
    for (const [i, { thick, colour }] of sides.entries())
      if (thick > 0 && colour)
        parts.push(`<path d="M${x} ${y}${lines[i]}" fill="none" stroke="${colour}" stroke-width="${thick}"/>`);
  }
  const outline = style.outlineStyle === 'none' ? undefined : colourOf(style.outlineColor);
  if (outline)
    parts.push(
      `<rect ${at}${radius} fill="none" stroke="${outline}" stroke-width="${Number.parseFloat(style.outlineWidth)}"/>`,
    );
  return parts.join('');
}

let gradients = 0;

/** From left to right, as the scales are; any other is drawn in its first colour. */
function gradientOf(image: string, at: string): string {
  const stops = [...image.matchAll(/(?:rgba?|color|oklab|oklch)\([^()]*\)|#\w+/g)].map(
    ([one]) => colourOf(one) ?? 'none',
  );
  if (stops.length === 0) return '';
  if (!image.startsWith('linear-gradient(to right')) return `<rect ${at} fill="${stops[0]}" fill-opacity="0.5"/>`;
  const id = `g${++gradients}`;
  const all = stops.map(
    (stop, i) => `<stop offset="${round(i / Math.max(1, stops.length - 1))}" stop-color="${stop}"/>`,
  );
  return `<linearGradient id="${id}">${all.join('')}</linearGradient><rect ${at} fill="url(#${id})"/>`;
}

/** Letters where they stand, a line at a time: as wide as they are here, whatever font there is elsewhere. */
function lettersOf(node: Text, style: CSSStyleDeclaration, { left, top, clip }: Frame): string {
  const range = document.createRange();
  const lines: { text: string; left: number; right: number; top: number; height: number }[] = [];
  let place = 0;
  for (const character of node.data) {
    range.setStart(node, place);
    place += character.length;
    range.setEnd(node, place);
    const [rect] = range.getClientRects();
    if (!rect) continue;
    const middle = (rect.left + rect.right) / 2;
    if (middle < clip.left || middle > clip.right || rect.top >= clip.bottom || rect.bottom <= clip.top) continue;
    const line = lines.at(-1);
    if (!line || Math.abs(line.top - rect.top) > 1) lines.push({ text: character, ...boundsOf(rect) });
    else {
      line.text += character;
      line.left = Math.min(line.left, rect.left);
      line.right = Math.max(line.right, rect.right);
    }
  }
  const fill = colourOf(style.color) ?? 'none';
  const { ascent, height } = metricsOf(style);
  const font = `font-family="${escaped(style.fontFamily)}" font-size="${style.fontSize}" font-weight="${style.fontWeight}"`;
  const isBackwards = style.direction === 'rtl';
  return lines
    .filter(({ text }) => text.trim() !== '')
    .map((line) => {
      const y = line.top - top + (ascent / height) * line.height;
      const width = round(line.right - line.left);
      const x = `x="${round((isBackwards ? line.right : line.left) - left)}" y="${round(y)}"`;
      const fits = line.text.length > 1 ? ` textLength="${width}" lengthAdjust="spacingAndGlyphs"` : '';
      const turned = isBackwards ? ' direction="rtl"' : '';
      return `<text ${x} ${font} fill="${fill}"${fits}${turned} xml:space="preserve">${escaped(line.text)}</text>`;
    })
    .join('');
}

const boundsOf = ({ left, right, top, height }: DOMRect) => ({ left, right, top, height });

const pen = () => new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;

function metricsOf({ fontStyle, fontWeight, fontSize, fontFamily }: CSSStyleDeclaration) {
  const context = pen();
  context.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
  const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = context.measureText('x');
  return { ascent, height: ascent + descent };
}

/** A colour as every reader of SVG knows it, whatever CSS calls it; undefined for none. */
function colourOf(css: string): string | undefined {
  const context = pen();
  context.fillStyle = css;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  if (alpha === 0) return undefined;
  return alpha === 255 ? `rgb(${red},${green},${blue})` : `rgba(${red},${green},${blue},${round(alpha! / 255)})`;
}

/** A picture of a pixel a number as cells; one of points as it is. */
function cellsOf(
  canvas: HTMLCanvasElement & { drawn?: { rows?: number } },
  rect: DOMRect,
  { left, top }: Frame,
): string {
  const [x, y] = [round(rect.left - left), round(rect.top - top)];
  if (canvas.width === 0 || canvas.height === 0 || rect.width === 0) return '';
  if (canvas.drawn?.rows !== canvas.height)
    return `<image x="${x}" y="${y}" width="${round(rect.width)}" height="${round(rect.height)}" href="${canvas.toDataURL()}"/>`;
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
  const scale = `scale(${rect.width / canvas.width} ${rect.height / canvas.height})`;
  const paths = cellPaths(data, canvas.width);
  return `<g transform="translate(${x} ${y}) ${scale}" shape-rendering="crispEdges">${paths}</g>`;
}

const drawnBy = [
  ...[
    'fill',
    'fill-opacity',
    'stroke',
    'stroke-width',
    'stroke-opacity',
    'stroke-linecap',
    'stroke-dasharray',
    'opacity',
  ],
  ...['vector-effect', 'text-anchor', 'font-family', 'font-size', 'font-weight'],
];

/** A drawing of the page's own, with what its style sheets say of it. */
function vectorsOf(drawing: SVGSVGElement, rect: DOMRect, { left, top }: Frame): string {
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  const [from, to] = [drawing, copy].map((one) => [one, ...one.querySelectorAll<SVGElement>('*')]);
  for (const [i, element] of to!.entries()) {
    const style = getComputedStyle(from![i]!);
    for (const { name } of [...element.attributes])
      if (/^(class|style|data-|aria-|role)/.test(name)) element.removeAttribute(name);
    for (const name of drawnBy) {
      const value = style.getPropertyValue(name);
      element.setAttribute(name, name === 'fill' || name === 'stroke' ? paintOf(value) : value);
    }
  }
  const place = { x: rect.left - left, y: rect.top - top, width: rect.width, height: rect.height };
  for (const [name, value] of Object.entries(place)) copy.setAttribute(name, String(round(value)));
  copy.setAttribute('overflow', 'visible');
  return new XMLSerializer().serializeToString(copy);
}

const paintOf = (css: string) => (css === 'none' || css.startsWith('url') ? css : (colourOf(css) ?? 'none'));
